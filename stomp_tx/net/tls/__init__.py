"""TLS: certificates, who is believed, and why a connection failed, in words."""
