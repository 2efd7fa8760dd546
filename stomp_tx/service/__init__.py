"""A broker's process: its configuration, its services, and what is read again while it runs."""
