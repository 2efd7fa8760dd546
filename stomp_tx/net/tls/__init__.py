"""TLS: contexts, verification, revocation lists, and why a connection failed, in words."""
