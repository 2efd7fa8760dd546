"""Clients that others wrote beat in time."""

from __future__ import annotations

import time

from tests.interop.conftest import authority, dial, drivers, folder, queue, running  # noqa: F401  # fixtures
from tests.interop.test_clients import KINDS, SPEAKERS


def test_heart_beats_keep_idle_connections(dial, queue):  # noqa: F811
    every = [
        (name, version) for name, version in SPEAKERS if KINDS[name].missing is None and version != "1.0"
    ]
    clients = [dial(name, version, heart_beat=(500, 500)) for name, version in every]
    time.sleep(2.6)  # the broker gives up on a client after two intervals
    for client in clients:
        beats = client.beats()
        assert beats is None or beats >= 4, client.kind.name
        assert client.has_heard() == [], client.kind.name
        client.subscribe(queue)
        client.send(queue, "still here")
        assert client.hears().text == "still here"
        client.disconnect()
