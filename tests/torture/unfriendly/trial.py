"""Trial: one case under one kind of settings, from the broker's start to a look at what it has kept."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.bars import Measured
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.catalogue import why_open
from tests.torture.unfriendly.innocent import KEPT, Innocent
from tests.torture.unfriendly.load import Load, Over
from tests.torture.unfriendly.settings import options
from tests.torture.unfriendly.victim import Victim, victim

LOOK = 10.0
"""Seconds that looking at what there is may take, before SIGTERM and after the next start."""

SETTLE = 10.0
"""Seconds after the load in which the innocent may still get the answer that it waits for."""

PATIENCE = 45.0
"""Seconds from SIGTERM to SIGKILL: it shall be seen by how much a bar is missed."""


UID = re.compile(rb"\nuid:([^\n]*)")


class Trial:
    """Its folder is gone afterwards."""

    def __init__(self, kind: type[Case], settings: str, seed: int, seconds: float, users: Path) -> None:
        self._case = kind(settings, Random(f"{seed} {kind.name}"))
        self._seconds = seconds
        self._users = users
        self._settings = settings
        self._found = Measured(kind.name, settings, seed, why_open(kind.name, settings))
        self._found.holds_others = kind.holds_others

    def run(self) -> Measured:
        folder = Path(tempfile.mkdtemp(prefix="unfriendly-"))
        try:
            case = self._case
            said = options(folder, self._settings, self._users, case.assignments, case.toml)
            most = self._seconds + LOOK + SETTLE + PATIENCE + 20
            with victim(folder, said, most) as broker:
                receipted = self._meet(broker, folder)
            self._restart(folder, said, receipted)
        finally:
            shutil.rmtree(folder)
        return self._found

    def _meet(self, broker: Victim, folder: Path) -> int:
        """The load and the innocent, then SIGTERM; how many of the innocent's messages were receipted."""
        port, found = broker.running.port(), self._found
        found.start = broker.resident
        with ExitStack() as open_ones:
            plain, stored = Innocent(port, "plain"), Innocent(port, "stored")
            open_ones.callback(plain.close)
            open_ones.callback(stored.close)
            load = Load(port, self._seconds, broker.must_end)
            open_ones.callback(load.close)
            time.sleep(1.0)
            found.idle = plain.mark()["worst"]
            stored.mark()
            load.ends = time.monotonic() + self._seconds
            self._as_far_as_it_goes(load, self._case.run)
            load.ends = time.monotonic() + SETTLE
            self._settle(load, plain, stored)
            load.ends = time.monotonic() + LOOK
            self._as_far_as_it_goes(load, self._case.look)
            found.end = broker.resident
            found.peak = max(broker.peak, found.end)
            dead = broker.dead
            found.stop = None if dead else broker.stop(PATIENCE)
            found.claims = self._case.claims
            if dead:
                self._case.claim("the broker lives", False, dead)
            return int(stored.mark()["answered"])

    def _as_far_as_it_goes(self, load: Load, work: Callable[[Load], None]) -> None:
        try:
            work(load)
        except Over as over:
            self._found.ended = f"{self._found.ended} {work.__name__}: {over}".strip()

    def _settle(self, load: Load, plain: Innocent, stored: Innocent) -> None:
        """Until the innocent has the answers that it waits for; the load goes on as far as it was told."""
        found, end = self._found, time.monotonic() + SETTLE
        while True:
            marks = plain.mark(), stored.mark()
            found.wait = max(found.wait, marks[0]["worst"])
            found.stored = max(found.stored, marks[1]["worst"])
            gone = [mark["gone"] for mark in marks if mark["gone"]]
            waits = max(mark["waits"] for mark in marks) > 0.1
            if gone or not waits or found.holds_others or time.monotonic() > end:
                break
            try:
                load.goes_on(0.3)
            except Over:
                time.sleep(0.3)
        served = f"{marks[0]['answered']} and {marks[1]['answered']} times"
        holds = found.holds_others or not (gone or waits)
        self._case.claim("innocent served", holds, " ".join(gone[0].split()) if gone else served)

    # -- the next start -----------------------------------------------------------------------------------

    def _restart(self, folder: Path, options: list[str], receipted: int) -> None:
        """What was receipted must be there."""
        kept = dict(self._case.kept)
        kept[KEPT] = {str(number) for number in range(1, receipted + 1)}
        many = sum(map(len, kept.values()))
        missing = f"the broker did not start again in {LOOK} seconds"
        count = many
        try:
            with victim(folder, options, 4 * LOOK) as broker:
                load = Load(broker.running.port(), 2 * LOOK, broker.must_end)
                try:
                    missing, count = self._missing(load, kept)
                finally:
                    load.close()
        except AssertionError as error:
            missing = f"{error}"[-300:]
        except Over as over:
            missing = f"{over}, while looking"
        self._case.claim("receipted is there", not count, f"{many - count} of {many}{missing}")

    def _missing(self, load: Load, kept: dict[str, set[str]]) -> tuple[str, int]:
        """What is, in words, and how many."""
        left = {place: set(uids) for place, uids in kept.items() if uids}
        for place, uids in left.items():
            destination, _, durable = place.partition("::")
            user = destination.partition(".")[0].rpartition("/")[2]
            [client] = load.connected([user])
            client.heard = partial(_strike, uids)
            named: dict[str, object] = {"durable_subscription": durable} if durable else {}
            client.says(
                frames.subscribe("s", destination, ack="client-individual", prefetch_count=65_535, **named)
            )
            try:
                load.until(lambda: not uids or client.is_gone, LOOK)  # noqa: B023
            except Over:
                break
            load.leaves(client)
        count = sum(map(len, left.values()))
        places = [place for place, uids in left.items() if uids]
        return (f"; not at {', '.join(places[:3])}" if count else ""), count


def _strike(uids: set[str], message: bytes) -> None:
    found = UID.search(message)
    if found is not None:
        uids.discard(found[1].decode())
