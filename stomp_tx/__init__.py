"""A STOMP broker and Deferred client on Twisted."""

__version__ = "0.1.0"
