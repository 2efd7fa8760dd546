"""One connection's conversation with a broker, from the client's side."""
