"""``stomp-tx broker``: the broker without twistd."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.running import PATIENCE, environment, eventually, over_tcp

LISTENS = re.compile(r"STOMP 1.0-1.2 at tcp:(\d+)")


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / "log"
    command = [sys.executable, "-m", "stomp_tx", "broker", *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=out)
    try:
        yield process, log
    finally:
        process.kill()
        process.wait()


def test_it_serves_and_ends_in_order(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving(tmp_path, "--port", "tcp:0:interface=127.0.0.1") as (process, log):
            eventually(lambda log=log: LISTENS.search(log.read_text()), "it listens")
            found = LISTENS.search(log.read_text())
            assert found is not None
            with over_tcp(int(found[1])) as ann:
                ann.connects().exchanges_a_message()
                process.send_signal(number)
                ann.hears_the_end()
            assert process.wait(PATIENCE) == 0, log.read_text()
            assert "Traceback" not in log.read_text()
    assert (tmp_path / "stomp.db").exists()
    assert not list(tmp_path.glob("*.pid"))


def test_its_policies_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "stomp.toml").write_text('port = ["tcp:0:interface=127.0.0.1"]\nengine = "memory:"\n')
    with serving(tmp_path, "--config", "stomp.toml") as (process, log):
        eventually(lambda: LISTENS.search(log.read_text()), "it listens")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "policies were read again" in log.read_text(), "it reads them")
        assert process.poll() is None


def says(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stomp_tx", "broker", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_help_is_that_of_the_broker() -> None:
    told = says("--help")
    assert told.returncode == 0
    assert told.stdout.startswith("Usage: stomp-tx broker [options]")
    assert "--engine" in told.stdout and "twistd [options]" not in told.stdout


def test_what_it_can_not_use_is_one_line() -> None:
    told = says("--port", "tpc:1")
    assert told.returncode == 1
    assert told.stderr.startswith("stomp: can't use port tpc:1")
    assert len(told.stderr.splitlines()) == 1
