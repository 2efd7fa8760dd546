"""A client that connects again, and goes on where it was."""
