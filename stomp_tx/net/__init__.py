"""What lies under a protocol: endpoints, TLS, the PROXY protocol, heart-beats, and how much is read when."""
