"""What others wait for while very many log in."""

from __future__ import annotations

import statistics
import time

from stomp_tx.auth.passwords import HASHER
from tests.e2e.running import broker, peer_of
from tests.e2e.users import ANY_PORT, PROXIED, as_user, from_address, passwd


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


def test_a_crowd_of_one_address_gets_in_and_comes_back(tmp_path):
    """As after a restart: nobody is refused, and nobody waits again for what was compared a moment ago."""
    hash = HASHER.hash("secret")
    (tmp_path / "users").write_text("".join(f"user{number}:{hash}\n" for number in range(100)))
    with broker(tmp_path, *ANY_PORT, "--auth", "passwd:users") as running:
        for _ in range(11):
            began = time.monotonic()
            crowd = [as_user(peer_of(running), f"user{number}", "secret") for number in range(100)]
            for peer in crowd:
                peer.hears("CONNECTED")
                peer.socket.close()
            took = time.monotonic() - began
        assert took < 1, took
