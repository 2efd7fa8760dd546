r"""Selectors: which messages a subscription wants, by their headers.

The language is that of JMS message selectors (Jakarta Messaging, "Message selector syntax"), a part of
SQL-92's conditions, as ActiveMQ and Artemis have it for STOMP::

    colour = 'red' AND weight > 2.5 OR "content-type" LIKE 'text/%' AND NOT (type IN ('a', 'b'))

================== ======================================================================================
``= <>``           two strings, two numbers, or two truths
``< <= > >=``      two numbers; so do ``+ - * /`` and ``[NOT] BETWEEN low AND high``, ends included
``[NOT] IN``       a name, and strings in parentheses
``[NOT] LIKE``     a name, and a pattern: ``%`` is any characters, ``_`` is one; after the character that
                   ``ESCAPE`` names they are themselves
``IS [NOT] NULL``  a name: is there no such header?
``AND OR NOT``     truths; a name by itself is one, too
``'it''s'``        a string, a quote in it written twice
``12 0xFF 017 1L`` exact numbers: decimal, hexadecimal, octal as in Java; of 64 bits
``1.5 .5 2. 1e3``  approximate numbers; so are ``1.5f`` and ``2d``
``TRUE FALSE``     truths.  All these words may be in upper or lower case.
``app.weight``     a name: letters, digits, ``_``, ``$``, and dots between them; upper and lower case differ
``"content-type"`` a name of any characters, a quote in it written twice
================== ======================================================================================

``hyphenated_props:`` before the whole has hyphens belong to names (Artemis): ``content-type`` needs no quotes
then, and a subtraction needs spaces.  ``convert_string_expressions:`` (ActiveMQ, Artemis) asks for the
conversions that there always are.  The empty selector wants every message.

What a header is depends on what it stands beside:

==================================  ====================================================================
``= <>`` a string, another header   the string that it is
a number, ``+ - * / < <= > >=``,    a number, if it looks like one: ``12 -1 +1 .5 2. 1e3``, in decimal
``BETWEEN``                         digits and without spaces
``TRUE FALSE AND OR NOT``, nothing  a truth, if it is ``true`` or ``false``, in upper or lower case
==================================  ====================================================================

If it does not look like one, the comparison is *unknown*; and so is anything made of a header that is not
there, of a division by zero, and of numbers that 64 bits can't hold.  Unknown is no match, and neither is NOT
unknown; ``FALSE AND unknown`` is false, and ``TRUE OR unknown`` is true.  (JMS says false, not unknown, where
a string is compared with a number, so that a NOT before it would be a match.)  What can be seen to be no
match before any message comes, as ``1 = 'a'`` or ``a < 'b'``, is malformed.  Two exact numbers have an exact
quotient: what is left of it is dropped, as in Java.

Headers are those of the MESSAGE: ``message-id`` and ``destination`` are the broker's own, and what is one
delivery's (``subscription``, ``ack``, ``redelivered``...) is never there.  Some names are JMS' or
Artemis', unless quoted:

====================  =================================================
``JMSMessageID``      ``message-id``
``JMSPriority``       ``priority``; 4 where there is none
``JMSTimestamp``      ``timestamp``
``JMSCorrelationID``  ``correlation-id``
``JMSType``           ``type``
``JMSDeliveryMode``   ``'PERSISTENT'`` or ``'NON_PERSISTENT'``
``AMQUserID``         ``message-id``
``AMQAddress``        ``destination``
``AMQPriority``       ``priority``; 4 where there is none
``AMQTimestamp``      ``timestamp``
``AMQExpiration``     when it expires, milliseconds since 1970; 0: never
``AMQDurable``        ``'DURABLE'`` or ``'NON_DURABLE'``
``AMQSize``           bytes of the frame that it was sent in
``AMQGroupID``        ``JMSXGroupID``
====================  =================================================
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from stomp_tx.broker.selector.compiler import Compiler
from stomp_tx.broker.selector.grammar import parsing
from stomp_tx.broker.selector.values import Condition, constantly
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import Message

LONGEST = 4096
"""Characters that a selector may have, if nobody says otherwise."""

KEPT = 256 * 1024
"""Characters of the texts that are remembered with their selectors: closures take a hundred octets for each.

It is usual for many subscriptions to have the same selector.
"""

LEAST = 256
"""A shorter text counts as one of so many characters."""

_PREFIX = re.compile(r"[ \t\f\r\n]*(?:convert_string_expressions:|(?P<hyphens>hyphenated_props:))")


class Selector:
    """Which messages a subscription wants.  ``text`` is what its client wrote."""

    __slots__ = ("_condition", "text")

    def __init__(self, text: str, condition: Condition) -> None:
        self.text = text
        self._condition = condition

    def matches(self, message: Message) -> bool:
        """Is it true of this message?  (Unknown is not.)"""
        return self._condition(message) is True

    def __repr__(self) -> str:
        return f"<Selector {self.text!r}>"


def compiled(text: str, longest: int = LONGEST) -> Selector:
    """The selector of this text; the same one for the same text, while it is remembered.

    Raises ProtocolViolation when it is malformed, or has more characters than ``longest``.
    """
    if len(text) > longest:
        raise ProtocolViolation("malformed selector", f"it may have {longest} characters")
    for _ in compiling(text):
        pass
    found = _remembered.get(text)
    if isinstance(found, Selector):
        return found
    raise ProtocolViolation(found.summary, found.detail)


def is_remembered(text: str) -> bool:
    """Does ``compiled`` know what comes of it, and take no time?"""
    return text in _remembered


def compiling(text: str) -> Iterator[None]:
    """Compile it piece by piece: then ``compiled`` knows what comes of it, if it is called soon."""
    if text in _remembered:
        return
    found: Selector | ProtocolViolation
    try:
        found = yield from _compiled(text)
    except ProtocolViolation as violation:
        found = violation.with_traceback(None)
    _remembered.add(text, found)


def _compiled(text: str) -> Generator[None, None, Selector]:
    start, hyphens = 0, False
    while (prefix := _PREFIX.match(text, start)) is not None:
        start = prefix.end()
        hyphens = hyphens or prefix["hyphens"] is not None
    if not text[start:].strip(" \t\f\r\n"):
        return Selector(text, constantly(True))
    tree = yield from parsing(text, start, hyphens)
    yield
    return Selector(text, Compiler(text, start).condition(tree))


class _Remembered:
    """What came of the texts that were asked for last."""

    def __init__(self) -> None:
        self._found: dict[str, Selector | ProtocolViolation] = {}
        self.characters = 0

    def __contains__(self, text: object) -> bool:
        return text in self._found

    def get(self, text: str) -> Selector | ProtocolViolation:
        """What came of one that is remembered."""
        found = self._found[text] = self._found.pop(text)  # the last one to be forgotten
        return found

    def add(self, text: str, found: Selector | ProtocolViolation) -> None:
        """This came of it: others are forgotten for it, that nobody has asked for as long."""
        self.characters += max(LEAST, len(text)) if text not in self._found else 0
        self._found[text] = found
        while self.characters > KEPT and len(self._found) > 1:
            first = next(iter(self._found))
            del self._found[first]
            self.characters -= max(LEAST, len(first))


_remembered = _Remembered()
