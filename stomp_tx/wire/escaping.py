r"""Header escapes of each version, as tables (STOMP 1.2, "Value Encoding").

1.0 has none: a backslash is a backslash.  1.1 has ``\n \c \\``; 1.2 adds ``\r``.  An escape that the version
does not define is an error.  CONNECT and CONNECTED are never escaped: their callers don't come here.
"""

from __future__ import annotations

import re

from stomp_tx.errors import FrameError
from stomp_tx.wire.commands import V10, V11, V12

_DECODED = {
    V11: {"\\n": "\n", "\\c": ":", "\\\\": "\\"},
    V12: {"\\n": "\n", "\\c": ":", "\\\\": "\\", "\\r": "\r"},
}
_ENCODED = {
    version: str.maketrans({plain: escape for escape, plain in table.items()})
    for version, table in _DECODED.items()
}
_DELIMITER = re.compile(r"[\\:\r\n]")
# One pass, left to right: "\\n" is a backslash and an n, never a backslash and a line feed.
_ESCAPE = re.compile(r"\\(?:.|$)", re.DOTALL)


def unescape(text: str, version: str) -> str:
    """The header name or value that ``text`` stands for.  Raises FrameError for an undefined escape."""
    if version == V10 or "\\" not in text:
        return text
    table = _DECODED[version]
    if "\\\\" not in text:
        # No escaped backslash: each one begins an escape, and what is left of them is undefined.
        plain = text
        for escape, meaning in table.items():
            plain = plain.replace(escape, meaning)
        if "\\" not in plain:
            return plain

    def decoded(match: re.Match[str]) -> str:
        escape = match[0]
        plain = table.get(escape)
        if plain is None:
            raise FrameError(
                "undefined escape in a header",
                f"{escape!a} is not an escape of STOMP {version}; these are: {' '.join(table)}",
            )
        return plain

    return _ESCAPE.sub(decoded, text)


def escape(text: str, version: str) -> str:
    """``text`` as it stands in a header of this version.

    Raises FrameError where the version has no way to say it: in 1.0 a line feed.  A carriage return has no
    escape in 1.0 and 1.1, where only a line feed ends a line: it is sent as it is.
    """
    if version == V10:
        if "\n" in text:
            raise FrameError(
                "a line feed can't be sent in a header of STOMP 1.0",
                "STOMP 1.0 has no escapes: use version 1.1 or 1.2, or leave the line feed out",
            )
        return text
    if _DELIMITER.search(text) is None:
        return text
    return text.translate(_ENCODED[version])
