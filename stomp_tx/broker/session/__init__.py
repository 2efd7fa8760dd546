"""One connection's conversation with the broker."""
