"""Other people's brokers, for whoever measures beside them or speaks to them: how each is started by itself.

Each runs as the current user out of a folder, knows nothing of one that the machine may run as a service,
and listens on 127.0.0.1 alone.
"""
