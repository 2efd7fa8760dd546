"""Case: what unfriendly clients do, and what must be so of it."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from tests.torture.unfriendly.bars import Claim
from tests.torture.unfriendly.load import Load

MIB = 1 << 20


class Case:
    """One of them.  Its first docstring line is what ``--help`` says of it.

    name -- after the list that it comes from
    assignments, toml -- settings of its own
    holds_others -- it is about a small limit that all share: the innocent may wait, too
    claims -- what must be so, besides the bars that all have
    kept -- what the broker has receipted and nobody has acknowledged, by queue: uids of persistent messages
    """

    name = ""
    assignments: tuple[str, ...] = ()
    toml = ""
    holds_others = False

    def __init__(self, kind: str, random: Random, scale: float = 1.0) -> None:
        """
        kind -- of settings
        scale -- how much of it: 1 is what the list says
        """
        self.is_internet = kind == "internet"
        self.random = random
        self.scale = scale
        self.claims: list[Claim] = []
        self.kept: defaultdict[str, set[str]] = defaultdict(set)

    def count(self, many: int) -> int:
        """So many, by the scale."""
        return max(2, int(many * self.scale))

    def run(self, load: Load) -> None:
        """The load.  It may be cut short by Over."""
        raise NotImplementedError

    def look(self, load: Load) -> None:
        """What must be so now: the load is over, its clients are still there.  It may be cut short, too."""

    def claim(self, name: str, holds: bool, found: str) -> None:
        self.claims.append(Claim(name, holds, found))
