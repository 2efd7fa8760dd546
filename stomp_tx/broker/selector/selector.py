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

import operator
import re
from collections.abc import Callable
from functools import cache, lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from stomp_tx.broker.message_headers import OWNED
from stomp_tx.errors import ProtocolViolation
from stomp_tx.message import GROUP, OVERHEAD, Message
from stomp_tx.wire.booleans import truth

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput


LONGEST = 4096
"""Characters that a selector may have, if nobody says otherwise."""

DEEPEST = 64
"""How deep NOT, signs, sums and conditions may be nested in each other; mere parentheses don't count."""

SHORT = 32
"""Characters of a part of a LIKE pattern that a regular expression looks for; of more, all at once."""

KEPT = 256
"""So many selectors are remembered by their texts: it is usual for many subscriptions to have the same."""

KEPT_LENGTH = 1024
"""Characters of a text that is remembered: closures take up to a hundred octets for each."""

_GRAMMAR = r"""
?disjunction: conjunction (_OR conjunction)*
?conjunction: negation (_AND negation)*
?negation: comparison
    | NOT negation -> negation
?comparison: sum
    | sum COMPARISON sum -> comparison
    | sum [NOT] _BETWEEN sum _AND sum -> between
    | sum [NOT] _IN "(" STRING ("," STRING)* ")" -> membership
    | sum [NOT] _LIKE STRING [_ESCAPE STRING] -> likeness
    | sum _IS [NOT] _NULL -> nullness
?sum: product ((PLUS | MINUS) product)*
?product: signed ((STAR | SLASH) signed)*
?signed: atom
    | (PLUS | MINUS) signed -> signed
?atom: NAME -> name
    | QUOTED -> quoted
    | STRING -> string
    | EXACT -> exact
    | APPROXIMATE -> approximate
    | TRUE -> truth
    | FALSE -> truth
    | "(" disjunction ")"

_AND: "AND"i
_BETWEEN: "BETWEEN"i
_ESCAPE: "ESCAPE"i
_IN: "IN"i
_IS: "IS"i
_LIKE: "LIKE"i
_NULL: "NULL"i
_OR: "OR"i
FALSE: "FALSE"i
NOT: "NOT"i
TRUE: "TRUE"i
COMPARISON: "=" | "<>" | "<" | "<=" | ">" | ">="
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
NAME: /%s/i
QUOTED: /"[^"]*(?:""[^"]*)*"/
STRING: /'[^']*(?:''[^']*)*'/
EXACT: /(?:0x[0-9a-f]+|[0-9]+)l?/i
APPROXIMATE.1: /(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[edf]))(?:e[+-]?[0-9]+)?[df]?/i
%%ignore /[ \t\f\r\n]+/
"""
_NAME = r"(?:[^\W\d]|\$)[\w$]*(?:\.[\w$]+)*"
_HYPHENATED = r"(?:[^\W\d]|\$)[\w$-]*(?:\.[\w$-]+)*"

_PREFIX = re.compile(r"[ \t\f\r\n]*(?:convert_string_expressions:|(?P<hyphens>hyphenated_props:))")

_WORDS = {
    "COMPARISON": "a comparison",
    **dict.fromkeys(("PLUS", "MINUS", "STAR", "SLASH"), "+ - * /"),
    "STRING": "a string in single quotes",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "$END": "the end",
}
"""What the parser's terminals are called in front of people, where that is not their own name."""

_Number = int | float
_Reader = Callable[[Message], str | None]
_Quantity = Callable[[Message], _Number | None]
_Test = Callable[[Message], bool | None]
"""What is made of the parts of a selector: closures that know a message's text, number or truth, or None."""


class Selector:
    """Which messages a subscription wants.  ``text`` is what its client wrote."""

    __slots__ = ("_test", "text")

    def __init__(self, text: str, test: _Test) -> None:
        self.text = text
        self._test = test

    def matches(self, message: Message) -> bool:
        """Is it true of this message?  (Unknown is not.)"""
        return self._test(message) is True

    def __repr__(self) -> str:
        return f"<Selector {self.text!r}>"


def compiled(text: str, longest: int = LONGEST) -> Selector:
    """The selector of this text; the same one for the same text, while it is remembered.

    Raises ProtocolViolation when it is malformed, or has more characters than ``longest``.
    """
    if len(text) > longest:
        raise ProtocolViolation("malformed selector", f"it may have {longest} characters")
    return _remembered(text) if len(text) <= KEPT_LENGTH else _compiled(text)


def _compiled(text: str) -> Selector:
    start, hyphens = 0, False
    while (prefix := _PREFIX.match(text, start)) is not None:
        start = prefix.end()
        hyphens = hyphens or prefix["hyphens"] is not None
    if not text[start:].strip(" \t\f\r\n"):
        return Selector(text, _constantly(True))
    return Selector(text, _Compiler(text, start).test(_parsed(text, start, hyphens)))


_remembered = lru_cache(KEPT)(_compiled)


def _constantly(value: Any) -> Callable[[Message], Any]:
    return lambda message: value


# -- From text to tree ------------------------------------------------------------------------------------


@cache
def _parser(hyphens: bool) -> Lark:
    # Here, and made on first use: who uses no selectors pays nothing for them.
    from lark import Lark

    # The basic lexer knows nothing of what the parser expects: a reserved word is never taken for a name.
    return Lark(
        _GRAMMAR % (_HYPHENATED if hyphens else _NAME), start="disjunction", parser="lalr", lexer="basic"
    )


def _parsed(text: str, start: int, hyphens: bool) -> Tree[Token]:
    parser = _parser(hyphens)
    from lark.exceptions import UnexpectedInput

    try:
        return parser.parse(text[start:])
    except UnexpectedInput as unexpected:
        raise _misplaced(text, start, unexpected) from None


def _misplaced(text: str, start: int, unexpected: UnexpectedInput) -> ProtocolViolation:
    at = len(text) if unexpected.pos_in_stream is None else start + unexpected.pos_in_stream
    token = getattr(unexpected, "token", None)  # there is none when no token begins there
    if token is None:
        found = "a quote that is never closed" if text[at] in "'\"" else ascii(text[at])
    elif token.type == "$END":
        at, found = len(text), "the end"
    else:
        found = ascii(str(token))[:40]
    accepted = unexpected.interactive_parser.accepts()
    words = []
    if "NAME" in accepted:
        words.append("a name or a value")
        accepted -= {"NAME", "QUOTED", "STRING", "EXACT", "APPROXIMATE", "TRUE", "FALSE"}
        accepted -= {"PLUS", "MINUS", "LPAR", "NOT"}
    words += sorted({_WORDS.get(name, name.lstrip("_")) for name in accepted})
    return _malformed(text, at, f"expected {', '.join(words)}; found {found}")


def _malformed(text: str, at: int, why: str) -> ProtocolViolation:
    """``at``: index of the character where it goes wrong."""
    before, here = text[max(at - 20, 0) : at], text[at : at + 20]
    place = (f", after {before!a}" if before else "") + (f", at {here!a}" if here else "")
    return ProtocolViolation("malformed selector", f"column {at + 1}{place}: {why}")


# -- From tree to closures --------------------------------------------------------------------------------


class _Part(NamedTuple):
    """One part of a selector, as whatever it can stand for: a header for all three, the others for one."""

    kind: str
    text: _Reader | None = None
    quantity: _Quantity | None = None
    test: _Test | None = None
    literal: Any = None
    """Its value, where that is known beforehand and is a number."""


class _Compiler:
    """Makes closures of one text's tree, from the leaves up."""

    def __init__(self, text: str, start: int) -> None:
        """``start``: index where the tree's text begins."""
        self._text = text
        self._start = start
        self._depth = 0
        self._headers: dict[str, _Part] = {}

    def test(self, tree: Tree[Token]) -> _Test:
        return self._as_test(tree, self._part(tree))

    def _as_test(self, tree: Tree[Token], part: _Part) -> _Test:
        if part.test is None:
            self._refuse(tree, f"expected a condition, found a {part.kind}")
        return part.test

    def _quantity(self, tree: Tree[Token]) -> _Quantity:
        return self._as_quantity(tree, self._part(tree))

    def _as_quantity(self, tree: Tree[Token], part: _Part) -> _Quantity:
        if part.quantity is None:
            self._refuse(tree, f"expected a number, found a {part.kind}")
        return part.quantity

    def _header_text(self, tree: Tree[Token], verb: str) -> _Reader:
        part = self._part(tree)
        if part.kind != "header" or part.text is None:
            self._refuse(tree, f"expected a name before {verb}, found a {part.kind}")
        return part.text

    def _part(self, tree: Tree[Token]) -> _Part:
        self._depth += 1
        if self._depth > DEEPEST:
            self._refuse(tree, f"nested deeper than {DEEPEST}")
        part: _Part = getattr(self, f"_{tree.data}")(*tree.children)
        self._depth -= 1
        return part

    def _refuse(self, place: Tree[Token] | Token, why: str) -> NoReturn:
        leaf: Any = place
        while hasattr(leaf, "children"):
            leaf = leaf.children[0]
        raise _malformed(self._text, self._start + leaf.start_pos, why)

    # The following have the grammar's names, and get its parts: None for an optional one that is not there.

    def _name(self, token: Token) -> _Part:
        # The same closures wherever the name comes: a long selector takes half the memory.
        name = str(token)
        if name not in self._headers:
            self._headers[name] = _header(_NAMED.get(name) or _reader(name))
        return self._headers[name]

    def _quoted(self, token: Token) -> _Part:
        return _header(_reader(_unquoted(token)))

    def _string(self, text: Token) -> _Part:
        return _Part("string", text=_constantly(_unquoted(text)))

    def _truth(self, word: Token) -> _Part:
        return _condition(_constantly(word.type == "TRUE"))

    def _exact(self, token: Token) -> _Part:
        digits, base = token.lower().removesuffix("l"), 10
        if digits.startswith("0x"):
            digits, base = digits[2:], 16
        elif digits.startswith("0"):
            base = 8
            if "8" in digits or "9" in digits:
                self._refuse(token, "a number that begins with 0 is octal, and has no 8 and no 9")
        digits = digits.lstrip("0") or "0"
        value = int(digits, base) if len(digits) < 24 else None
        if value is None or value > _LARGEST:
            self._refuse(token, "a number of more than 64 bits")
        return _constant(value)

    def _approximate(self, token: Token) -> _Part:
        value = float(token.lower().rstrip("df"))
        if not isfinite(value):
            self._refuse(token, "a number of more than 64 bits")
        return _constant(value)

    def _signed(self, sign: Token, tree: Tree[Token]) -> _Part:
        part = self._part(tree)
        quantity = self._as_quantity(tree, part)
        if part.literal is not None:
            return _constant(-part.literal if sign.type == "MINUS" else part.literal)
        return _Part("number", quantity=_computed(_constantly(0), [(_OPERATIONS[sign.type], quantity)]))

    def _sum(self, first: Tree[Token], *rest: Any) -> _Part:
        # The rest is an operator and an operand by turns.
        signs, operands = rest[::2], map(self._quantity, rest[1::2])
        steps = [(_OPERATIONS[sign.type], operand) for sign, operand in zip(signs, operands, strict=True)]
        return _Part("number", quantity=_computed(self._quantity(first), steps))

    _product = _sum

    def _comparison(self, left: Tree[Token], token: Token, right: Tree[Token]) -> _Part:
        sign, one, other = str(token), self._part(left), self._part(right)
        if one.literal is not None:
            sign, left, one, right, other = _MIRRORED.get(sign, sign), right, other, left, one
        compare = _COMPARISONS[sign]
        if sign in ("=", "<>"):
            kinds = sorted({one.kind, other.kind} - {"header"}) or ["string"]
            if len(kinds) == 2:
                self._refuse(token, f"compares a {kinds[0]} with a {kinds[1]}, which is never true")
            if one.text is not None and other.text is not None:
                return _condition(_compared(one.text, compare, other.text))
            if kinds == ["truth"]:
                truths = self._as_test(left, one), self._as_test(right, other)
                return _condition(_compared(truths[0], compare, truths[1]))
        return _condition(self._ordered(self._as_quantity(left, one), compare, right, other))

    def _between(self, middle: Tree[Token], no: Token | None, low: Tree[Token], high: Tree[Token]) -> _Part:
        quantity = self._quantity(middle)
        above = self._ordered(quantity, operator.ge, low, self._part(low))
        below = self._ordered(quantity, operator.le, high, self._part(high))
        return _perhaps_not(no, _all_true([above, below]))

    def _ordered(self, left: _Quantity, compare: _Comparison, tree: Tree[Token], right: _Part) -> _Test:
        if right.literal is not None:
            return _compared_with(left, compare, right.literal)
        return _compared(left, compare, self._as_quantity(tree, right))

    def _membership(self, name: Tree[Token], no: Token | None, *strings: Token) -> _Part:
        chosen = frozenset(map(_unquoted, strings))
        return _perhaps_not(no, _made_of(self._header_text(name, "IN"), chosen.__contains__))

    def _likeness(self, name: Tree[Token], no: Token | None, pattern: Token, escape: Token | None) -> _Part:
        text, mark = self._header_text(name, "LIKE"), None
        if escape is not None:
            mark = _unquoted(escape)
            if len(mark) != 1:
                self._refuse(escape, "expected one character after ESCAPE")
        pieces = _pieces(_unquoted(pattern), mark)
        if pieces is None:
            self._refuse(pattern, "the pattern's escape character has nothing to escape")
        return _perhaps_not(no, _made_of(text, _like(pieces)))

    def _nullness(self, name: Tree[Token], no: Token | None) -> _Part:
        text = self._header_text(name, "IS")
        if no is None:
            return _condition(lambda message: text(message) is None)
        return _condition(lambda message: text(message) is not None)

    def _negation(self, no: Token, condition: Tree[Token]) -> _Part:
        return _condition(_not(self.test(condition)))

    def _conjunction(self, *conditions: Tree[Token]) -> _Part:
        return _condition(_all_true([self.test(condition) for condition in conditions]))

    def _disjunction(self, *conditions: Tree[Token]) -> _Part:
        return _condition(_any_true([self.test(condition) for condition in conditions]))


def _condition(test: _Test) -> _Part:
    return _Part("truth", test=test)


def _constant(value: _Number) -> _Part:
    return _Part("number", quantity=_constantly(value), literal=value)


def _header(text: _Reader) -> _Part:
    return _Part("header", text=text, quantity=_made_of(text, _number), test=_made_of(text, truth))


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


# -- Headers, and what they look like ---------------------------------------------------------------------


def _reader(name: str) -> _Reader:
    """Of the header that a MESSAGE shows under this name."""
    if name == "message-id":
        return lambda message: message.id
    if name == "destination":
        return lambda message: message.destination
    if name in OWNED:
        return _constantly(None)
    return lambda message: message.headers.get(name)


_NAMED: dict[str, _Reader] = {
    "JMSMessageID": _reader("message-id"),
    "JMSPriority": lambda message: message.headers.get("priority", "4"),
    "JMSTimestamp": _reader("timestamp"),
    "JMSCorrelationID": _reader("correlation-id"),
    "JMSType": _reader("type"),
    "JMSDeliveryMode": lambda message: "PERSISTENT" if message.is_persistent else "NON_PERSISTENT",
    "AMQUserID": _reader("message-id"),
    "AMQAddress": _reader("destination"),
    "AMQPriority": lambda message: message.headers.get("priority", "4"),
    "AMQTimestamp": _reader("timestamp"),
    "AMQExpiration": lambda message: str(message.keeping.expires if message.keeping else 0),
    "AMQDurable": lambda message: "DURABLE" if message.is_persistent else "NON_DURABLE",
    "AMQSize": lambda message: str(message.size - OVERHEAD),
    "AMQGroupID": _reader(GROUP),
}

_T = TypeVar("_T")


def _made_of(reader: _Reader, make: Callable[[str], _T | None]) -> Callable[[Message], _T | None]:
    def made(message: Message) -> _T | None:
        text = reader(message)
        return None if text is None else make(text)

    return made


_LARGEST = 2**63
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _number(text: str) -> _Number | None:
    length = len(text)
    if length < 19 and text.isdigit() and text.isascii():
        return int(text)
    # Not by int() and float() alone: they take spaces, underscores, any alphabet's digits, "nan" and "inf".
    if length > 64 or _NUMERAL.fullmatch(text) is None:
        return None
    return _held(int(text) if _WHOLE.fullmatch(text) else float(text))


def _held(value: _Number) -> _Number | None:
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else None
    return value if isfinite(value) else None


# -- The operators ----------------------------------------------------------------------------------------


def _divide(dividend: _Number, divisor: _Number) -> _Number | None:
    if not divisor:
        return None
    if isinstance(dividend, int) and isinstance(divisor, int):
        quotient = abs(dividend) // abs(divisor)
        return quotient if (dividend < 0) == (divisor < 0) else -quotient
    return dividend / divisor


_Operation = Callable[[Any, Any], "_Number | None"]
_OPERATIONS: dict[str, _Operation] = {
    "PLUS": operator.add,
    "MINUS": operator.sub,
    "STAR": operator.mul,
    "SLASH": _divide,
}
_Comparison = Callable[[Any, Any], bool]
_COMPARISONS: dict[str, _Comparison] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _computed(first: _Quantity, steps: list[tuple[_Operation, _Quantity]]) -> _Quantity:
    def computed(message: Message) -> _Number | None:
        result = first(message)
        for operation, quantity in steps:
            operand = quantity(message)
            if result is None or operand is None:
                return None
            result = operation(result, operand)
            if result is not None:
                result = _held(result)
        return result

    return computed


def _compared(left: Callable[[Message], Any], compare: _Comparison, right: Callable[[Message], Any]) -> _Test:
    def holds(message: Message) -> bool | None:
        one, other = left(message), right(message)
        return None if one is None or other is None else compare(one, other)

    return holds


def _compared_with(left: _Quantity, compare: _Comparison, number: _Number) -> _Test:
    def holds(message: Message) -> bool | None:
        value = left(message)
        return None if value is None else compare(value, number)

    return holds


def _not(test: _Test) -> _Test:
    def holds(message: Message) -> bool | None:
        value = test(message)
        return None if value is None else not value

    return holds


def _perhaps_not(no: Token | None, test: _Test) -> _Part:
    return _condition(test if no is None else _not(test))


def _all_true(tests: list[_Test]) -> _Test:
    def hold(message: Message) -> bool | None:
        result: bool | None = True
        for test in tests:
            value = test(message)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return hold


def _any_true(tests: list[_Test]) -> _Test:
    def holds(message: Message) -> bool | None:
        result: bool | None = False
        for test in tests:
            value = test(message)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return holds


# -- LIKE -------------------------------------------------------------------------------------------------

_Piece = list[str | None]
"""What a pattern has between two of its %: characters, None for a _."""


def _pieces(pattern: str, mark: str | None) -> list[_Piece] | None:
    """None: it ends with ``mark``, its escape character."""
    pieces: list[_Piece] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == mark:
            escaped = next(characters, None)
            if escaped is None:
                return None
            pieces[-1].append(escaped)
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if character == "_" else character)
    return pieces


def _like(pieces: list[_Piece]) -> Callable[[str], bool]:
    # The first occurrence of each piece after that of the one before it: if there is any way to match, this
    # is one, and nothing is ever tried twice, as the regular expression for it would.
    if len(pieces) == 1:
        length, whole = len(pieces[0]), _stands(pieces[0])
        return lambda text: len(text) == length and whole(text, 0)
    first, *between, last = pieces
    begins, ends, finders = _stands(first), _stands(last), [_finder(piece) for piece in between if piece]

    def like(text: str) -> bool:
        start, end = len(first), len(text) - len(last)
        if start > end or not begins(text, 0) or not ends(text, end):
            return False
        for find in finders:
            start = find(text, start, end)
            if start < 0:
                return False
        return True

    return like


def _stands(piece: _Piece) -> Callable[[str, int], bool]:
    """Does it stand at this index of a text?"""
    expression = "".join("." if character is None else re.escape(character) for character in piece)
    if None in piece:
        matches = re.compile(expression, re.DOTALL).match
        return lambda text, at: matches(text, at) is not None
    word = "".join(filter(None, piece))
    return lambda text, at: text.startswith(word, at)


def _finder(piece: _Piece) -> Callable[[str, int, int], int]:
    """Finds it between two indices of a text: the index after its first occurrence; -1: there is none."""
    length = len(piece)
    if None not in piece:
        word = "".join(filter(None, piece))

        def find(text: str, start: int, end: int) -> int:
            at = text.find(word, start, end)
            return at if at < 0 else at + length

        return find

    if length <= SHORT:
        # A few comparisons at each place of the text, at most, and none is made twice.
        search = re.compile(
            "".join("." if one is None else re.escape(one) for one in piece), re.DOTALL
        ).search

        def find_short(text: str, start: int, end: int) -> int:
            found = search(text, start, end)
            return -1 if found is None else found.end()

        return find_short

    # One bit for each character of the piece, so that all places where it may have begun advance at once
    # ("shift-and"): one pass, whatever the text.
    anything = sum(1 << place for place, character in enumerate(piece) if character is None)
    places = dict.fromkeys(filter(None, piece), anything)
    for place, character in enumerate(piece):
        if character is not None:
            places[character] |= 1 << place
    done = 1 << length - 1

    def find_bits(text: str, start: int, end: int) -> int:
        begun = 0
        for at in range(start, end):
            begun = (begun << 1 | 1) & places.get(text[at], anything)
            if begun & done:
                return at + 1
        return -1

    return find_bits
