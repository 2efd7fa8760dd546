"""One broker for the folder, plain and over TLS; one process for each kind of client."""

import re

import pytest

from tests.e2e.certificates import Authority
from tests.e2e.running import broker
from tests.interop.driving import KINDS, Driver

FAULT = re.compile(
    r"traceback|unhandled|failure|#(error|critical)\]|#warn\](?!.* got ERROR: )", re.IGNORECASE
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("interop")


@pytest.fixture(scope="session")
def authority(folder):
    """Who signed the certificate of the broker, which is called localhost."""
    authority = Authority(folder, "ours")
    authority.server("localhost")
    return authority


@pytest.fixture(scope="session")
def running(folder, authority):
    """The broker; its log must show no fault when all is over."""
    ports = ("--port", "tcp:0:interface=127.0.0.1", "--port", "ssl:0:interface=127.0.0.1")
    with broker(folder, *ports, ports=2) as running:
        yield running
        assert running.process.poll() is None, f"the broker ended by itself:\n{running.log[-5000:]}"
        assert running.stop() == 0
        faults = [line for line in running.log.splitlines() if FAULT.search(line)]
        assert not faults, f"in the broker's log: {faults[:10]}"


@pytest.fixture(scope="session")
def drivers(folder):
    """The driver for a kind of client, by name; the test skips where it can't run."""
    started = {}

    def driver(name):
        kind = KINDS[name]
        if kind.missing is not None:
            pytest.skip(kind.missing)
        if name not in started or not started[name].works:
            started[name] = Driver(kind, folder)
        return started[name]

    yield driver
    for one in started.values():
        one.stop()


@pytest.fixture
def dial(running, drivers):
    """``dial("stompit", "1.1")``: a client of that kind, connected; gone when the test ends."""
    clients = []

    def dial(name, version="1.2", **more):
        client = drivers(name).connection()
        clients.append(client)
        kind = "tcp" if more.get("authority") is None else "ssl"
        client.connect(running.port(kind), version, **more)
        return client

    yield dial
    for client in clients:
        client.drop()


@pytest.fixture
def queue(request):
    """A queue for this test alone."""
    return f"/queue/{request.node.nodeid.rpartition('::')[2]}"


@pytest.fixture
def topic(request):
    """A topic for this test alone."""
    return f"/topic/{request.node.nodeid.rpartition('::')[2]}"
