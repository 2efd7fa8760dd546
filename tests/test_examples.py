"""Each example runs against a broker, as a reader would run it."""

import subprocess
import sys

import pytest

from tests.e2e.running import CHECKOUT, PATIENCE, broker, environment

EXAMPLES = {
    "inline_callbacks.py": [
        "en dear",
        "en sincerely",
        "closed: None",
        "not sent: the client has disconnected",
    ],
    "publish_subscribe.py": [
        f"{who} heard {what}" for who in ("ann", "bob") for what in ("rain", "snow", "sun")
    ],
    "transaction.py": [
        "aborted: the price of teapots is unknown",
        "committed",
        "received: invoice for three teapots",
    ],
    "reconnecting.py": ["connected to stomp-tx", *(f"did job {number}" for number in range(5)), "left"],
    "with_asyncio.py": ["one green tea", "one black tea"],
    "work_queue.py": [*(f"did job {number}" for number in range(5)), "refused job 3"],
}


def test_every_example_is_tested():
    clients = {
        path.name for path in (CHECKOUT / "examples").glob("*.py") if "stomp_tx.client" in path.read_text()
    }
    assert clients == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(tmp_path, name):
    with broker(tmp_path, "--port", "tcp:0:interface=127.0.0.1") as running:
        ran = subprocess.run(
            [sys.executable, "-W", "error", CHECKOUT / "examples" / name, f"tcp:127.0.0.1:{running.port()}"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(ran.stdout.splitlines()) == sorted(EXAMPLES[name])
