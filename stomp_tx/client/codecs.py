"""Codecs: what a body of octets means, by its content-type."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import Message as MimeMessage
from typing import Any

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes, str], Any]
"""Given the octets, and the ``charset`` of the content-type, or ``utf-8``."""

TEXT = "text/plain"
JSON = "application/json"


class Codecs:
    """Encoders and decoders by content-type; it begins with text (``text/*``) and JSON.

    ::

        codecs = Codecs()
        codecs.add("application/msgpack", msgpack.packb, lambda octets, charset: msgpack.unpackb(octets))
        client = await connect("tcp:127.0.0.1:61613", codecs=codecs)
        await client.send("/queue/a", {"answer": 42}, content_type="application/msgpack")
    """

    def __init__(self) -> None:
        self._codecs: dict[str, tuple[Encode, Decode]] = {}
        self.add("text/*", str.encode, lambda octets, charset: octets.decode(charset))
        self.add(JSON, _to_json, lambda octets, charset: json.loads(octets.decode(charset)))

    def add(self, content_type: str, encode: Encode, decode: Decode) -> None:
        """From now on this content-type (``type/*``: all of that kind without one of their own) has these."""
        self._codecs[content_type.lower()] = encode, decode

    def body_of(self, value: Any, content_type: str | None) -> tuple[bytes, str | None]:
        """A body's octets, and its content-type, of what a user sends.

        Octets are what they are.  Text is UTF-8, and text/plain where nothing is said.  Anything else is
        encoded.  Raises ValueError or TypeError where that can't be.
        """
        if isinstance(value, str):
            return value.encode(), TEXT if content_type is None else content_type
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value), content_type
        return self.encode(value, content_type)

    def encode(self, value: Any, content_type: str | None) -> tuple[bytes, str]:
        """A value that is neither octets nor text as a body, and its content-type: JSON where none is given.

        Raises ValueError or TypeError where that can't be.
        """
        wanted = JSON if content_type is None else content_type
        codec = self._of(wanted)
        if codec is None:
            raise TypeError(f"no codec for {wanted!a}: add one to the client's codecs, or send octets")
        return codec[0](value), wanted

    def decode(self, body: bytes, content_type: str | None) -> Any:
        """What the body is; the octets where there is no codec for its content-type.

        Raises ValueError when it is not what it says.
        """
        codec = None if content_type is None else self._of(content_type)
        if codec is None or content_type is None:
            return body
        try:
            return codec[1](body, charset_of(content_type) or "utf-8")
        except (LookupError, RecursionError) as error:
            raise ValueError(str(error)) from error

    def _of(self, content_type: str) -> tuple[Encode, Decode] | None:
        kind = content_type.partition(";")[0].strip().lower()
        return self._codecs.get(kind) or self._codecs.get(f"{kind.partition('/')[0]}/*")


def charset_of(content_type: str) -> str | None:
    """The ``charset`` that a content-type names (STOMP 1.2, "Header content-type"); None: it names none."""
    header = MimeMessage()
    header["content-type"] = content_type.replace("\n", " ").replace("\r", " ")
    charset = header.get_param("charset")
    return charset if isinstance(charset, str) and charset else None


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
