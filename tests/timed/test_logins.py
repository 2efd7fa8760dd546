"""What others wait for while very many log in."""

from __future__ import annotations

import statistics
import time

from tests.e2e.running import broker
from tests.e2e.users import PROXIED, as_user, from_address, passwd


def test_a_storm_of_logins_is_no_storm_for_others(tmp_path):
    """Hashes are compared in threads: who is in already does not wait for them."""
    with (
        broker(tmp_path, *PROXIED, *passwd(tmp_path, "ann")) as running,
        from_address(running, "192.0.2.7") as ann,
    ):
        as_user(ann, "ann").hears("CONNECTED")
        ann.says("SUBSCRIBE id:1 destination:/topic/a receipt:s")
        ann.hears("RECEIPT")
        storm = [from_address(running, f"198.51.100.{number}") for number in range(40)]
        for peer in storm:
            as_user(peer, "eve", "x")
        took = []
        for _ in range(50):
            began = time.monotonic()
            ann.says("SEND destination:/topic/a", "x")
            ann.hears("MESSAGE")
            took.append(time.monotonic() - began)
        for peer in storm:
            peer.hears("ERROR")
            peer.socket.close()
        assert statistics.median(took) < 0.1, took
