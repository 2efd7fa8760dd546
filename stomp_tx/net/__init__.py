"""What lies under a protocol: endpoints, TLS, heart-beats, and how much is read."""
