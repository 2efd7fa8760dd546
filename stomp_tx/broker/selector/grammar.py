"""The grammar of selectors: from a text to its tree, or to where and why it is malformed."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING

from stomp_tx.errors import ProtocolViolation

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

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


@cache
def _parser(hyphens: bool) -> Lark:
    # Here, and made on first use: who uses no selectors pays nothing for them.
    from lark import Lark

    # The basic lexer knows nothing of what the parser expects: a reserved word is never taken for a name.
    return Lark(
        _GRAMMAR % (_HYPHENATED if hyphens else _NAME), start="disjunction", parser="lalr", lexer="basic"
    )


AT_ONCE = 16
"""Tokens that are parsed in one piece: half a millisecond."""


def parsing(text: str, start: int, hyphens: bool) -> Generator[None, None, Tree[Token]]:
    """Parse a text from an index on, piece by piece; ``hyphens`` belong to names.

    Gives its tree.  Raises ProtocolViolation.
    """
    interactive = _parser(hyphens).parse_interactive(text[start:])
    from lark.exceptions import UnexpectedInput

    last = None
    try:
        for count, token in enumerate(interactive.iter_parse(), 1):
            last = token
            if not count % AT_ONCE:
                yield
        tree: Tree[Token] = interactive.feed_eof(last)
    except UnexpectedInput as unexpected:
        unexpected.interactive_parser = interactive
        raise _misplaced(text, start, unexpected) from None
    return tree


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
    return malformed(text, at, f"expected {', '.join(words)}; found {found}")


def malformed(text: str, at: int, why: str) -> ProtocolViolation:
    """The error of a text that goes wrong at this index."""
    before, here = text[max(at - 20, 0) : at], text[at : at + 20]
    place = (f", after {before!a}" if before else "") + (f", at {here!a}" if here else "")
    return ProtocolViolation("malformed selector", f"column {at + 1}{place}: {why}")
