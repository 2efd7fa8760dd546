"""LIKE: patterns of texts, looked for in a time that no pattern and no text makes long."""

from __future__ import annotations

import re
from collections.abc import Callable

SHORT = 32
"""Characters of a part of a LIKE pattern that a regular expression looks for; of more, all at once."""

Piece = list[str | None]
"""What a pattern has between two of its %: characters, None for a _."""


def pieces_of(pattern: str, mark: str | None) -> list[Piece] | None:
    """What a pattern has between its %; None: it ends with ``mark``, its escape character."""
    pieces: list[Piece] = [[]]
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


def like(pieces: list[Piece]) -> Callable[[str], bool]:
    """Says of a text whether it is like the pattern."""
    # The first occurrence of each piece after that of the one before it: if there is any way to match, this
    # is one, and nothing is ever tried twice, as the regular expression for it would.
    if len(pieces) == 1:
        length, whole = len(pieces[0]), _stands(pieces[0])
        return lambda text: len(text) == length and whole(text, 0)
    first, *between, last = pieces
    begins, ends, finders = _stands(first), _stands(last), [_finder(piece) for piece in between if piece]

    def is_like(text: str) -> bool:
        start, end = len(first), len(text) - len(last)
        if start > end or not begins(text, 0) or not ends(text, end):
            return False
        for find in finders:
            start = find(text, start, end)
            if start < 0:
                return False
        return True

    return is_like


def _stands(piece: Piece) -> Callable[[str, int], bool]:
    """Does it stand at this index of a text?"""
    expression = "".join("." if character is None else re.escape(character) for character in piece)
    if None in piece:
        matches = re.compile(expression, re.DOTALL).match
        return lambda text, at: matches(text, at) is not None
    word = "".join(filter(None, piece))
    return lambda text, at: text.startswith(word, at)


def _finder(piece: Piece) -> Callable[[str, int, int], int]:
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
