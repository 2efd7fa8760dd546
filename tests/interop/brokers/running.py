"""Brokers of several kinds, each in a process of its own: killed, stopped for a while and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brokers import activemq, rabbitmq
from stomp_tx import __version__
from stomp_tx.auth.passwords import PasswordFile
from stomp_tx.net.tls.development_certificates import Authority
from stomp_tx.testing.process import COMMAND, environment

PATIENCE = 90.0
"""Seconds for a broker to listen; RabbitMQ takes seven on two cores that are idle."""

LIFETIME = 900
"""Seconds after which a broker ends by itself, whatever became of the tests."""

MORTAL = "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"
"""Becomes the command that it is given: an alarm outlives exec."""


class Running:
    """A broker that listens, on a port that stays the same; who made it ends it (``with``).

    host -- the virtual host that clients have to name; None: whatever they like
    """

    name = ""
    host: str | None = None
    login = passcode = "guest"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"stomp-tx-{self.name}-"))
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = self.folder / "certs"
        Authority(str(self.certificates)).server()
        self._log = self.folder / "broker.log"
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._process: subprocess.Popen[bytes] | None = None

    # -- what is of each kind -----------------------------------------------------------------------------

    absent = ""
    """What to say where it is not installed."""

    @staticmethod
    def installed() -> bool:
        return True

    @staticmethod
    def version() -> str:
        return __version__

    def command(self) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
        """What starts it in the foreground, and in which environment."""
        raise NotImplementedError

    # -- its life -----------------------------------------------------------------------------------------

    def __enter__(self) -> Running:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when it listens; raises AssertionError with the end of its log if it does not."""
        command, env = self.command()
        process = self._process = self.spawn(command, env)
        deadline = time.monotonic() + PATIENCE
        waiting = [self.port, self.tls_port]
        while waiting and process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", waiting[0]), timeout=1.0).close()
                del waiting[0]
            except OSError:
                time.sleep(0.05)
        assert not waiting, f"{self.name} does not listen, exit code {process.poll()}:\n{self.log[-5000:]}"

    def spawn(self, command: tuple[str, ...], env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", MORTAL, str(LIFETIME), *command],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """As by kill -9; return when it is gone."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def signal(self, signum: int) -> None:
        assert self._process is not None
        self._process.send_signal(signum)

    def end(self) -> None:
        """End all that belongs to it, and its files."""
        for process in filter(None, (self._process, *self._helpers)):
            process.kill()
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- for clients --------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def endpoint(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self) -> str:
        return f"tls:localhost:{self.tls_port}"

    @property
    def ca_file(self) -> str:
        return str(self.certificates / "ca.pem")

    def settings(self, **more: Any) -> dict[str, Any]:
        """Arguments of ``connect``."""
        return {"login": self.login, "passcode": self.passcode, "host": self.host, **more}


class Ours(Running):
    """This project's own, for comparison."""

    name = "stomp-tx"

    def command(self) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
        users = self.folder / "users"
        if not users.exists():
            PasswordFile(str(users)).add(self.login, self.passcode)
        tls = f"privateKey={self.certificates}/server.key:certKey={self.certificates}/server.pem"
        ports = (
            f"tcp:{self.port}:interface=127.0.0.1",
            f"ssl:{self.tls_port}:interface=127.0.0.1:{tls}",
        )
        options = ("--engine", f"sqlite:{self.folder / 'stomp.db'}", "--auth", f"passwd:{users}")
        return (*COMMAND, "stomp", "--port", ports[0], "--port", ports[1], *options), environment()


class RabbitMQ(Running):
    name = "rabbitmq"
    host = "/"
    absent = rabbitmq.ABSENT
    installed = staticmethod(rabbitmq.installed)
    version = staticmethod(rabbitmq.version)
    _environment: dict[str, str] | None = None

    def command(self) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
        if self._environment is None:
            epmd_port = free_port()
            self._environment = rabbitmq.environment(
                self.folder, self.port, epmd_port, free_port(), self.tls_port, self.certificates
            )
            self._helpers.append(self.spawn(rabbitmq.epmd(epmd_port), self._environment))
        return (str(rabbitmq.SCRIPT),), self._environment


class ActiveMQ(Running):
    name = "activemq"
    absent = activemq.ABSENT
    installed = staticmethod(activemq.installed)
    version = staticmethod(activemq.version)

    def command(self) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
        command = activemq.command(self.folder, self.port, self.tls_port, self.certificates)
        return command, {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
        }


KINDS: dict[str, type[Running]] = {kind.name: kind for kind in (Ours, RabbitMQ, ActiveMQ)}


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
