"""Rounds: a broker starts, works and is killed; the next one has the same file."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from tests.e2e.full_disk import CAN_NOT_WRITE, may_write_only
from tests.e2e.running import PATIENCE, TWISTD, Broker, broker, environment
from tests.torture import file
from tests.torture.connection import Connection, Gone
from tests.torture.crowd import crowd
from tests.torture.ledger import Ledger, Place
from tests.torture.workload import Client, Drain, Producer

SETTINGS = """
port = ["tcp:0:interface=127.0.0.1"]
engine = "sqlite:torture.db"
[policy]
attempts = 0
nack_delay = 0.01
[policy."/queue/refused"]
attempts = 3
[engine_limits]
"""

FULL_DISK = "full disk"

LIMITS = {
    "as usual": "",
    "window 50": "window_length = 50",
    "window 700": "window_length = 700",
    "window 20 KiB": 'window_octets = "20 KiB"',
    "spill": 'queue_length = 50\noverflow = "spill"\nwindow_length = 50',
    "little unsafe": 'unsafe_octets = "50 KiB"',
    FULL_DISK: "",
}

DRAIN_EVERY = 4  # rounds, about


class Broken(AssertionError):
    """A promise was broken; the text says which, and how to see it again."""


class Torture:
    """One file, and all that was ever done to it."""

    def __init__(self, folder: Path, seed: int, say: Callable[[str], None] = print) -> None:
        self._folder = folder
        self._seed = seed
        self._say = say
        self._random = Random(seed)
        self._ledger = Ledger()
        self._round = 0
        self._clients = crowd(self._ledger, self._random)

    def run(self, rounds: int) -> None:
        """Raises Broken."""
        for number in range(1, rounds + 1):
            self._round = number
            began = time.monotonic()
            how = self._noting_faults(self._live_and_die)
            self._check(how)
            if number == rounds or self._may(1 / DRAIN_EVERY):
                how += self._noting_faults(self._drain)
                self._check(how, emptied=True)
            self._report(f"{how} ({time.monotonic() - began:.1f} s)")

    def _noting_faults(self, live: Callable[[], str]) -> str:
        try:
            return live()
        except (AssertionError, Gone, subprocess.TimeoutExpired) as error:
            if CAN_NOT_WRITE in self._log():
                return f"{FULL_DISK}, it could not start"
            self._ledger.faults.append(f"the broker did not start, or did not end: {error!r}")
            return "and that was it"

    def _may(self, chance: float) -> bool:
        return self._random.random() < chance

    def _log(self) -> str:
        return (self._folder / "broker.log").read_text(encoding="utf-8")

    def _report(self, how: str) -> None:
        ledger = self._ledger
        self._say(
            f"round {self._round}: {ledger.sent} sent, {ledger.receipted} receipted, {ledger.came} came,"
            f" {ledger.came_again} of them again; {how}"
        )
        ledger.sent = ledger.receipted = ledger.came = ledger.came_again = 0

    def _check(self, how: str, emptied: bool = False) -> None:
        faults, self._ledger.faults[:] = list(self._ledger.faults), []
        if (self._folder / "torture.db").exists():
            faults += file.faults(self._folder / "torture.db", emptied)
        faults += [line for line in self._log().splitlines() if "critical]" in line or "Traceback" in line]
        if how.startswith(FULL_DISK):
            faults = [fault for fault in faults if CAN_NOT_WRITE not in fault]
        if faults:
            shown = "\n".join(faults[:5])
            raise Broken(
                f"seed {self._seed}, round {self._round} ({how}): {len(faults)} faults\n{shown}\n"
                f"see {self._folder}; again, as far as chance allows:"
                f" python -m tests.torture --seed {self._seed} --rounds {self._round}"
            )

    # -- one life -----------------------------------------------------------------------------------------

    def _live_and_die(self) -> str:
        """Start it and end it, in one way or the other; says how."""
        name = self._random.choice(list(LIMITS))
        settings = SETTINGS + LIMITS[name]
        (self._folder / "stomp.toml").write_text(settings, encoding="utf-8")
        end = self._random.choices(("kill", "stop", "stop, kill", "kill at start"), (75, 10, 7, 8))[0]
        self._ledger.life += 1
        self._ledger.disk_is_full = name == FULL_DISK
        if end == "kill at start":
            return f"{end} after {self._kill_at_start():.2f} s"
        seconds = self._random.uniform(0.05, 1.5)
        present = [client for client in self._clients if isinstance(client, Producer) or self._may(0.6)]
        self._random.shuffle(present)
        command = may_write_only(self._file_size() + 300_000) if name == FULL_DISK else TWISTD
        with broker(self._folder, "--config", "stomp.toml", command=command) as running:
            timer = threading.Timer(seconds, self._end, (running, end))
            asyncio.run(self._work(running, present, timer))
            timer.join()
            code = running.process.wait(PATIENCE)
            if end == "stop" and code != 0:
                self._ledger.faults.append(f"the broker ended with {code}:\n{running.log}")
        return f"{name}, {end} after {seconds:.2f} s"

    def _file_size(self) -> int:
        found = [one for one in self._folder.glob("torture.db*") if one.suffix != ".reserve"]
        return max((one.stat().st_size for one in found), default=0)

    def _kill_at_start(self) -> float:
        seconds = self._random.uniform(0.0, 0.8)
        with (self._folder / "broker.log").open("wb") as log:
            process = subprocess.Popen(
                [*TWISTD, "stomp", "--config", "stomp.toml"],
                cwd=self._folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        time.sleep(seconds)
        process.kill()
        process.wait(PATIENCE)
        return seconds

    def _end(self, running: Broker, how: str) -> None:
        if how.startswith("stop"):
            running.process.send_signal(signal.SIGTERM)
        if how == "stop, kill":
            time.sleep(self._random.uniform(0.0, 0.2))
        if how.endswith("kill"):
            running.process.kill()

    async def _work(
        self, running: Broker, clients: Iterable[Client], timer: threading.Timer | None = None
    ) -> None:
        """Until they are all done: those of a broker that ends are when it does."""
        # A broker that has bound its port is not one yet that can be told to stop.
        await (await Connection.open(running.port(), self._ledger.faults, "first")).close()
        work = [asyncio.create_task(client.run(running.port())) for client in clients]
        if timer is not None:
            timer.start()
        try:
            await asyncio.wait_for(asyncio.gather(*work), 2 * PATIENCE)
        except asyncio.TimeoutError:
            self._ledger.faults.append("clients wait for something that does not come")

    def _drain(self) -> str:
        """Take everything out, and see that it was all; says so."""
        self._ledger.life += 1
        self._ledger.disk_is_full = False
        with broker(self._folder, "--config", "stomp.toml") as running:
            by_destination: dict[str, list[Place]] = {}
            for place in self._ledger.places:
                by_destination.setdefault(place.destination, []).append(place)
            drains = [
                Drain(f"drain-{self._ledger.life}-{number}", self._ledger, self._random, places)
                for number, places in enumerate(by_destination.values())
            ]
            asyncio.run(self._work(running, drains))
            undone = [drain.who for drain in drains if not drain.done]
            if undone:
                self._ledger.faults.append(f"not everything came: {undone}")
            else:
                self._ledger.close_account()
            code = running.stop()
            if code != 0:
                self._ledger.faults.append(f"the broker ended with {code}:\n{running.log}")
        return ", then drained"
