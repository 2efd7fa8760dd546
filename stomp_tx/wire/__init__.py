"""Octets and frames, as pure functions and values: no Twisted, no sockets, no clock."""
