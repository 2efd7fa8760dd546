"""Ten connections that send what they can, of each kind of frames."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.e2e.running import CHECKOUT, Broker

FLOOD = """
import select, socket, sys, time
port = int(sys.argv[1])
connects, first, again = (text.encode().decode("unicode_escape").encode() for text in sys.argv[2:])
socks = []
for _ in range(10):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(connects)
    if connects:
        assert sock.recv(4096).startswith(b"CONNECTED"), "not connected"
        sock.sendall(first)
    sock.setblocking(False)
    socks.append(sock)
again *= 65536 // len(again)
print("flooding", flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    readable, writable, _ = select.select(socks, socks, [], 0.1)
    for sock in set(readable + writable):
        try:
            if sock in readable and not sock.recv(65536):
                socks.remove(sock)
            elif sock in writable:
                sock.send(again)
        except BlockingIOError:
            pass
        except OSError:
            socks.remove(sock)
    if not socks:
        time.sleep(0.1)
"""

CONNECT = "CONNECT\\naccept-version:1.2\\nhost:h\\nlogin:eve\\npasscode:eve\\n\\n\\0"
BODY = "x" * 100

FLOODS = {
    "messages to a topic": (CONNECT, "", f"SEND\\ndestination:/topic/eve.a\\n\\n{BODY}\\0"),
    "messages to the disk": (
        CONNECT,
        "",
        f"SEND\\ndestination:/queue/eve.a\\npersistent:true\\nreceipt:1\\n\\n{BODY}\\0",
    ),
    "frames that begin and end something": (
        CONNECT,
        "",
        "SUBSCRIBE\\nid:1\\ndestination:/topic/eve.a\\n\\n\\0UNSUBSCRIBE\\nid:1\\n\\n\\0"
        "BEGIN\\ntransaction:1\\n\\n\\0ABORT\\ntransaction:1\\n\\n\\0",
    ),
    "line feeds": (CONNECT, "", "\\n"),
    "line feeds before CONNECT": ("", "", "\\n"),
    "a frame without an end": (CONNECT, "SEND\\ndestination:/queue/eve.a\\n\\n", BODY),
}


@contextmanager
def flooding(running: Broker, said: Sequence[str]) -> Iterator[None]:
    """A process that floods this broker as long as the block lasts: it must not end before."""
    flood = subprocess.Popen(
        [sys.executable, "-c", FLOOD, str(running.port()), *said], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    try:
        assert flood.stdout is not None
        assert flood.stdout.readline() == b"flooding\n"
        yield
        assert flood.poll() is None
    finally:
        flood.kill()
        flood.communicate()


def the_manual_s(name: str) -> str:
    """The file of that name that the owner's manual shows."""
    manual = (CHECKOUT / "tap-plugin-readme.md").read_text(encoding="utf-8")
    return manual.partition(f"```toml\n# {name}\n")[2].partition("```")[0]
