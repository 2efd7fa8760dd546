"""The frames of the load, encoded once: the generator only ever sends these octets."""

from __future__ import annotations

BATCH = 400  # frames in one blob: about what a read of 64 KiB holds at 100 octets of body

CONNECT = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0"


def subscribe(destination: str, ack: str = "auto") -> bytes:
    """SUBSCRIBE with the receipt id that the relay always answers with."""
    return f"SUBSCRIBE\nid:0\ndestination:{destination}\nack:{ack}\nreceipt:sub\n\n\0".encode()


def send(destination: str, size: int = 100) -> bytes:
    """SEND with a body of `size` octets, none of them NUL: one NUL in it, one in its MESSAGE."""
    return b"SEND\ndestination:%b\ncontent-length:%d\n\n%b\0" % (destination.encode(), size, b"x" * size)


def acks(ids: list[bytes]) -> bytes:
    """ACK frames for the values of `ack` headers, which go back as they came: still escaped."""
    return b"ACK\nid:" + b"\n\n\0ACK\nid:".join(ids) + b"\n\n\0"
