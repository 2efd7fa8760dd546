"""Wildcards: which patterns of destinations a name matches.

Patterns and names are what follows "/queue/" or "/topic/": words with ``.`` or ``/`` between them.

=====  =================================================  =====================================
``*``  exactly one word                                   ``a.*``: ``a.b``, not ``a``, ``a.b.c``
``#``  any number of words, none as well; anywhere        ``a.#``: ``a``, ``a.b``, ``a.b.c``
       (AMQP, RabbitMQ, Artemis)                          ``a.#.c``: ``a.c``, ``a.b.b.c``
``>``  the same (ActiveMQ)                                ``a.>``: ``a``, ``a.b``, ``a.b.c``
=====  =================================================  =====================================

Both separators mean the same: ``a/*`` matches ``a.b``.  Clients of ActiveMQ and RabbitMQ write dots, and who
thinks of paths writes slashes; the names themselves stay what they are.  A wildcard is a whole word: ``a*``
is a word like any other.  A word may be empty: ``a.`` has two.

Of ``a.>`` ActiveMQ's documentation says that it matches any destination "starting from this name".  Taken at
its word that is ``a`` as well, and then ``>`` and ``#`` need not be told apart.  What follows a ``>``
ActiveMQ ignores, and its documentation warns of it; here it must match.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

ONE = "*"
ANY = frozenset({"#", ">"})
_WILD = ANY | {ONE}

T = TypeVar("T", bound=Hashable)


def is_pattern(address: str) -> bool:
    """Is there a wildcard in it?  Of a destination, or of the part after its prefix."""
    return not _WILD.isdisjoint(_words(address))


def _words(name: str) -> list[str]:
    return name.replace("/", ".").split(".")


class _Node(Generic[T]):
    """Where the patterns are that begin alike.  What most nodes don't have is None, as there are many."""

    __slots__ = ("any", "one", "values", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node[T]] | None = None  # what follows, by its first word
        self.one: _Node[T] | None = None  # ... where that is a *
        self.any: _Node[T] | None = None  # ... where that is a #
        self.values: dict[T, None] | None = None  # of the pattern that ends here

    def child(self, word: str) -> _Node[T] | None:
        if word == ONE:
            return self.one
        if word == "#":
            return self.any
        return None if self.words is None else self.words.get(word)

    def made_child(self, word: str) -> _Node[T]:
        node = self.child(word)
        if node is None:
            node = _Node()
            if word == ONE:
                self.one = node
            elif word == "#":
                self.any = node
            elif self.words is None:
                self.words = {word: node}
            else:
                self.words[word] = node
        return node

    def drop_child(self, word: str) -> None:
        if word == ONE:
            self.one = None
        elif word == "#":
            self.any = None
        elif self.words is not None:
            del self.words[word]
            self.words = self.words or None

    @property
    def is_empty(self) -> bool:
        return self.values is None and self.words is None and self.one is None and self.any is None


class Patterns(Generic[T]):
    """Finds the values whose patterns a name matches; patterns without wildcards are welcome, too.

    The patterns are a trie, and a match follows all ways through it at once, word by word.  How many patterns
    there are does not matter, only how many begin as the name does.  No place is ever visited twice for the
    same word: one pattern costs at most its words times the name's, however many wildcards it has.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._count = 0

    def __len__(self) -> int:
        """So many values, each counted once for each of its patterns."""
        return self._count

    def add(self, pattern: str, value: T) -> None:
        """From now on ``value`` is among those that match.  Of one pattern, a value is there once."""
        node = self._root
        for word in _canonical(pattern):
            node = node.made_child(word)
        if node.values is None:
            node.values = {}
        if value not in node.values:
            node.values[value] = None
            self._count += 1

    def remove(self, pattern: str, value: T) -> None:
        """What ``add`` added is there no more.  Raises KeyError when it was not there."""
        words = _canonical(pattern)
        path = [self._root]
        for word in words:
            node = path[-1].child(word)
            if node is None:
                raise KeyError(pattern)
            path.append(node)
        values = path[-1].values
        if values is None or value not in values:
            raise KeyError(pattern)
        del values[value]
        self._count -= 1
        if not values:
            path[-1].values = None
        while words and path[-1].is_empty:
            path.pop()
            path[-1].drop_child(words.pop())

    def matching(self, name: str) -> list[T]:
        """The values whose patterns match, in no order; a value comes once for each of its patterns."""
        matched: list[T] = []
        here: list[_Node[T]] = []  # where the words so far have led
        stays: dict[_Node[T], None] = {}  # the same, behind a #: any word leads there again
        self._arrive(self._root, here, stays, matched)
        for word in _words(name):
            if not here and not stays:
                break
            ways = [*here, *stays]
            here = []
            for node in ways:
                if node.words is not None and (after := node.words.get(word)) is not None:
                    self._arrive(after, here, stays, matched)
                if node.one is not None:
                    self._arrive(node.one, here, stays, matched)
        for node in here:
            if node.values is not None:
                matched += node.values
        return matched

    @staticmethod
    def _arrive(node: _Node[T], here: list[_Node[T]], stays: dict[_Node[T], None], matched: list[T]) -> None:
        here.append(node)
        behind = node.any
        if behind is not None and behind not in stays:
            stays[behind] = None
            # Whatever follows, it stays: the patterns that end here match.
            if behind.values is not None:
                matched += behind.values


def _canonical(pattern: str) -> list[str]:
    """Its words, with a run of wildcards written in one way: stars first, then a # if there is any."""
    words: list[str] = []
    run_has_any = False
    for word in _words(pattern):
        if word in ANY:
            run_has_any = True
            continue
        if word != ONE and run_has_any:
            words.append("#")
            run_has_any = False
        words.append(word)
    if run_has_any:
        words.append("#")
    return words


def covers(pattern: str, other: str) -> bool:
    """Does ``pattern`` match all that ``other`` does, which is a name or a pattern itself?"""
    return _meet(tuple(_canonical(pattern)), tuple(_canonical(other)), one_sided=True)


def overlap(pattern: str, other: str) -> bool:
    """Is there a name that both match?  Either may be a name itself."""
    return _meet(tuple(_canonical(pattern)), tuple(_canonical(other)), one_sided=False)


def _meet(pattern: tuple[str, ...], other: tuple[str, ...], one_sided: bool) -> bool:
    """Do they match something in common; one-sided: whatever stands for the wildcards of the other one?

    ``reached`` are the places in ``other`` that the words of ``pattern`` so far have led to.
    """

    def skipped(places: set[int]) -> set[int]:
        """With a # of the other one standing for nothing."""
        found = set(places)
        for place in sorted(places):
            if not one_sided and place < len(other) and other[place] == "#":
                found.add(place + 1)
        return found

    reached = skipped({0})
    for word in pattern:
        if word == "#":
            reached = set(range(min(reached, default=0), len(other) + 1)) if reached else set()
            continue
        after = set()
        for place in reached:
            if place == len(other):
                continue
            theirs = other[place]
            if theirs == "#":
                if not one_sided:
                    after.add(place)  # it stands for this word, and maybe for more
            elif word in (ONE, theirs) or (theirs == ONE and not one_sided):
                after.add(place + 1)
        reached = skipped(after)
    return len(other) in reached
