"""What is said of mistakes with TLS, by the command and in the log of a real broker."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stomp_tx.net.tls.development_certificates import Authority
from stomp_tx.testing import BrokerProcess, run_broker
from stomp_tx.testing.process import eventually
from tests.cli.commandline import process

FILES = "interface=127.0.0.1:privateKey=certs/server.key:certKey=certs/server.pem"
PORTS = (
    *("--port", "tcp:0:interface=127.0.0.1"),
    *("--port", f"stomps:0:{FILES}"),
    *("--port", f"stomps:0:{FILES}:ca=certs/ca.pem"),
    *("--port", f"ssl:0:{FILES}"),
    *("--engine", "memory:"),
)


class Place:
    """A broker with four ports, its certificates, and what is said there."""

    def __init__(self, folder: Path, broker: BrokerProcess) -> None:
        self.certs = folder / "certs"
        self.broker = broker
        numbers = [re.search(r":(\d+)", port) for port in broker.ports]
        self.plain, self.tls, self.strict, self.ssl = (found[1] for found in numbers if found)

    def ping(self, url: str, *options: object) -> str:
        """What went wrong, which is one line."""
        ran = process(
            *("ping", "--count", "1", "--url", url, *options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            environ={"STOMP_URL": ""},
        )
        assert ran.returncode == 1, ran
        assert re.fullmatch(r"stomp-tx: [^\n]*\n", ran.stderr), ran.stderr
        assert not re.search(r"SSL routines|\[\(|Errno|Error\(|Traceback", ran.stderr), ran.stderr
        said: str = ran.stderr.removeprefix("stomp-tx: ").replace(f"{self.certs}/", "")
        return said

    def logs(self, text: str) -> None:
        eventually(lambda: text in self.broker.log, f"the log says {text}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    Authority(str(folder / "certs")).server()
    with run_broker(*PORTS, folder=folder, ports=4) as broker:
        yield Place(folder, broker)


def test_it_works(place: Place) -> None:
    for port in (place.tls, place.ssl):
        options = ("--url", f"stomp+tls://localhost:{port}", "--ca-file", place.certs / "ca.pem")
        ran = process("ping", "-n", "1", *options, capture_output=True)
        assert ran.returncode == 0, ran.stderr


def test_an_authority_that_is_not_trusted(place: Place) -> None:
    for port in (place.tls, place.ssl):
        said = place.ping(f"stomp+tls://localhost:{port}")
        assert said.startswith("the broker's certificate is not trusted: it comes from CN=stomp-tx dev")
        assert "(stomp-tx: --ca-file)" in said
    place.logs("the client does not trust the issuer of this port's certificate, CN=stomp-tx development")


def test_tls_and_plain_mixed_up(place: Place) -> None:
    for port in (place.tls, place.ssl):
        assert "stomp+tls://HOST:PORT" in place.ping(f"stomp://localhost:{port}")
    place.logs("a client spoke plain STOMP")
    said = place.ping(f"stomp+tls://localhost:{place.plain}", "--ca-file", place.certs / "ca.pem")
    assert "if the port does not speak TLS, connect without it: tcp:HOST:PORT (stomp-tx: stomp://" in said
    place.logs("spoke TLS to a plain port")


def test_no_certificate_where_one_is_wanted(place: Place) -> None:
    said = place.ping(f"stomp+tls://localhost:{place.strict}", "--ca-file", place.certs / "ca.pem")
    assert said.startswith("the broker wants a client's certificate: ") and "--cert FILE --key FILE" in said
    place.logs("the client showed no certificate, and the port wants one (verify=required)")


def test_files_that_are_of_no_use(place: Place) -> None:
    (place.certs / "text").write_text("hello")
    (place.certs / "empty").write_text("")
    for options, said in (
        (("--ca-file", "none"), "can't read none: no such file or directory"),
        (("--ca-file", "text"), "text holds no certificate in PEM: no line of it is -----BEGIN CERTIFICATE"),
        (("--ca-file", "empty"), "empty holds no certificate in PEM: it is empty"),
        (("--cert", "none"), "can't read none: no such file or directory"),
        (("--cert", "server.pem"), "server.pem holds no private key in PEM: it holds: CERTIFICATE"),
        (("--cert", "server.pem", "--key", "ca.key"), "the first certificate in server.pem is not that of"),
        (("--key", "server.key"), "privateKey= needs certificate="),
    ):
        files = [one if one.startswith("--") else place.certs / one for one in options]
        assert place.ping(f"stomp+tls://localhost:{place.tls}", *files).startswith(said), options


def test_a_broker_with_such_files_does_not_start(place: Place, tmp_path: Path) -> None:
    for files, said in (
        (f"privateKey={place.certs}/server.key:certKey={place.certs}/none", "there is no none in "),
        (f"privateKey={place.certs}/server.pem", "server.pem holds no private key in PEM: it holds: CERTIF"),
        (f"privateKey={place.certs}/ca.key:certKey={place.certs}/server.pem", "the first certificate in "),
    ):
        for kind in ("ssl", "stomps"):
            arguments = ("--port", f"{kind}:0:{files}", "--engine", "memory:")
            with pytest.raises(AssertionError) as failed, run_broker(*arguments, folder=tmp_path):
                pass
            line = str(failed.value).splitlines()[-1]
            assert line.startswith(f"stomp: can't use port {kind}:0:") and said in line, line
