"""The frames of the load, encoded once: the generator only ever sends these octets."""

from __future__ import annotations

BATCH = 400  # frames in one blob: about what a read of 64 KiB holds at 100 octets of body


def connect(login: str = "", passcode: str = "") -> bytes:
    """CONNECT, with a passcode equal to the login where there is one and nothing else is said."""
    headers = f"login:{login}\npasscode:{passcode or login}\n" if login else ""
    return f"CONNECT\naccept-version:1.2\nhost:/\n{headers}\n\0".encode()


def subscribe(destination: str, ack: str = "auto") -> bytes:
    """SUBSCRIBE with the receipt id that the relay always answers with."""
    return f"SUBSCRIBE\nid:0\ndestination:{destination}\nack:{ack}\nreceipt:sub\n\n\0".encode()


def subscribe_to(id: int, destination: str) -> bytes:
    """SUBSCRIBE without a receipt, one of many on its connection."""
    return f"SUBSCRIBE\nid:{id}-many\ndestination:{destination}\n\n\0".encode()


def send(destination: str, size: int = 100, headers: bytes = b"") -> bytes:
    """SEND with a body of `size` octets, none of them NUL: one NUL in it, one in its MESSAGE."""
    return b"SEND\ndestination:%b\ncontent-length:%d\n%b\n%b\0" % (
        destination.encode(),
        size,
        headers,
        b"x" * size,
    )


def batch(destination: str, persistent: bool = False, receipt_every: int = 0) -> bytes:
    """A blob of BATCH SENDs with 100 octets each, every so many of them asking for a receipt."""
    headers = b"persistent:true\n" if persistent else b""
    plain = send(destination, headers=headers)
    if not receipt_every:
        return plain * BATCH
    confirmed = send(destination, headers=headers + b"receipt:r\n")
    return (plain * (receipt_every - 1) + confirmed) * (BATCH // receipt_every)


def acks(ids: list[bytes]) -> bytes:
    """ACK frames for the values of `ack` headers, which go back as they came: still escaped."""
    return b"ACK\nid:" + b"\n\n\0ACK\nid:".join(ids) + b"\n\n\0"
