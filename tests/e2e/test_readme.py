"""What the README shows is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.running import CHECKOUT, PATIENCE, broker, environment

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CLIENT, SERVICE, BROKER, FRAMES = BLOCKS


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_the_client_talks_to_twistd_stomp(tmp_path: Path) -> None:
    with broker(tmp_path, "--port", "tcp:0:interface=127.0.0.1") as running:
        ran = run(CLIENT.replace("61613", str(running.port())), tmp_path)
    assert (ran.stdout, ran.stderr) == ("Hello, world from /queue/hello\n", "")


def test_the_service_asks_and_answers(tmp_path: Path) -> None:
    with broker(tmp_path, "--port", "tcp:0:interface=127.0.0.1") as running:
        ran = run(SERVICE.replace("61613", str(running.port())), tmp_path)
    assert (ran.stdout, ran.stderr) == ("6\n", "")


def test_the_client_talks_to_the_broker_in_a_program(tmp_path: Path) -> None:
    tell = ".listen(factory).addCallback(lambda port: print(port.getHost().port))"
    code = BROKER.replace("tcp:61613", "tcp:0").replace(".listen(factory)", tell)
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            port = program.stdout.readline().strip()
            ran = run(CLIENT.replace("61613", port), tmp_path)
            assert ran.stdout == "Hello, world from /queue/hello\n", ran.stderr
            assert "anonymous connected from" in program.stdout.readline()
        finally:
            program.terminate()


def test_frames_work_by_themselves(tmp_path: Path) -> None:
    ran = run(FRAMES, tmp_path)
    assert (ran.stdout, ran.stderr) == ("red: dark\n", "")


def test_the_pages_it_names_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (CHECKOUT / target).exists(), target
