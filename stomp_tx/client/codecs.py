"""Codecs: what a body's bytes mean, by its content-type."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.message import Message as MimeMessage
from typing import Any

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes, str], Any]
"""Given the bytes, and the ``charset`` of the content-type, or ``utf-8``."""

TEXT = "text/plain"
JSON = "application/json"

LONGEST = 1000
"""Characters of a content-type whose ``charset`` is looked for: a sender could make it take seconds."""


class Codecs:
    """Encoders and decoders by content-type.

    It begins with text (``text/*``) and JSON (``application/json``, and ``application/*+json`` for such as
    ``application/vnd.api+json``).  JSON may have a byte order mark.

    ::

        codecs = Codecs()
        codecs.add("application/msgpack", msgpack.packb, lambda body, charset: msgpack.unpackb(body))
        client = await connect("tcp:127.0.0.1:61613", codecs=codecs)
        await client.send("/queue/a", {"answer": 42}, content_type="application/msgpack")
    """

    def __init__(self) -> None:
        self._codecs: dict[str, tuple[Encode, Decode]] = {}
        self.add("text/*", _to_text, text_in)
        self.add(JSON, _to_json, _of_json)
        self.add("application/*+json", _to_json, _of_json)

    def add(self, content_type: str, encode: Encode, decode: Decode) -> None:
        """From now on this content-type has these.

        ``type/*+suffix``, and then ``type/*``, are for all of that kind without one of their own.
        """
        self._codecs[content_type.lower()] = encode, decode

    def body_of(self, value: Any, content_type: str | None) -> tuple[bytes, str | None]:
        """A body's bytes, and its content-type, of what a user sends.

        Bytes are what they are.  Text is UTF-8, and text/plain where nothing is said.  Anything else is
        encoded.  Raises ValueError or TypeError where that can't be.
        """
        if isinstance(value, str):
            return value.encode(), TEXT if content_type is None else content_type
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value), content_type
        return self.encode(value, content_type)

    def encode(self, value: Any, content_type: str | None) -> tuple[bytes, str]:
        """A value that is neither bytes nor text as a body, and its content-type: JSON where none is given.

        Raises ValueError or TypeError where that can't be.
        """
        wanted = JSON if content_type is None else content_type
        if not isinstance(wanted, str):
            raise TypeError(f"content_type is text, not {wanted!r}")
        codec = self._of(wanted)
        if codec is None:
            raise TypeError(f"no codec for {wanted!a}: add one to the client's codecs, or send bytes")
        return codec[0](value), wanted

    def decode(self, body: bytes, content_type: str | None) -> Any:
        """What the body is; the bytes where there is no codec for its content-type.

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
        main = kind.partition("/")[0]
        suffix = kind.rpartition("+")[2]
        for one in (kind, f"{main}/*+{suffix}", f"{main}/*"):
            if one in self._codecs:
                return self._codecs[one]
        return None


def charset_of(content_type: str) -> str | None:
    """The ``charset`` that a content-type names (STOMP 1.2, "Header content-type"); None: it names none."""
    if len(content_type) > LONGEST:
        return None
    header = MimeMessage()
    header["content-type"] = content_type.replace("\n", " ").replace("\r", " ")
    charset = header.get_param("charset")
    return charset if isinstance(charset, str) and charset else None


def text_in(octets: bytes, charset: str) -> str:
    """The text that bytes are in a charset.  Raises ValueError when they are none, or Python lacks it."""
    try:
        return octets.decode(charset)
    except LookupError:
        raise ValueError(f"there is no charset {charset!a:.60}") from None


def _to_text(value: Any) -> bytes:
    # Text itself comes to no codec.
    raise TypeError(f"text/* is for text, not for {type(value).__name__}: send JSON, or what str() gives")


def _of_json(octets: bytes, charset: str) -> Any:
    return json.loads(text_in(octets, charset).removeprefix("\ufeff"))


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
