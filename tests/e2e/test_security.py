"""Who may connect, and what each may do: a broker as its owner starts it, attacked from 127.0.0.1."""

from __future__ import annotations

import select
import signal
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from tests.e2e.floods import FLOODS, flooding, the_manual_s
from tests.e2e.running import (
    PATIENCE,
    TWISTD,
    Broker,
    Peer,
    broker,
    eventually,
    peer_of,
)
from tests.e2e.users import ANY_PORT, PROXIED, as_user, from_address, passwd, stomp_tx
from tests.net.tls.test_server import revocation_list


def hup(running: Broker, log: str) -> None:
    count = running.log.count(log)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.log.count(log) > count, f"the broker says {log!r}")


# -- users ------------------------------------------------------------------------------------------------


def test_users_of_a_file(tmp_path):
    with broker(tmp_path, *ANY_PORT, *passwd(tmp_path, "ann", "bob")) as running:
        with peer_of(running) as ann, peer_of(running) as bob:
            as_user(ann, "ann").hears("CONNECTED")
            as_user(bob, "bob").hears("CONNECTED")
            ann.exchanges_a_message()
            for user, passcode in (("ann", "hunter2"), ("eve", "eve"), ("ann", "")):
                with peer_of(running) as eve:
                    assert "the login or the passcode is wrong" in as_user(eve, user, passcode).hears("ERROR")
                    eve.hears_the_end()
            # Who is taken out is out.
            stomp_tx(tmp_path, "passwd", "remove", "users", "ann")
            hup(running, "login has been changed")
            assert "connect again" in ann.hears("ERROR")
            bob.exchanges_a_message()
        with peer_of(running) as ann:
            as_user(ann, "ann").hears("ERROR")
        assert running.stop() == 0
        for passcode in ("nna", "hunter2"):
            assert passcode not in running.log
        assert "login refused: 'eve'" in running.log


def test_without_users_only_this_machine_may_connect(tmp_path):
    with broker(tmp_path, *ANY_PORT, *PROXIED, ports=2) as running:
        with peer_of(running) as ann:
            ann.connects().exchanges_a_message()
        with from_address(running, "127.0.0.1") as ann:
            ann.connects()
        with from_address(running, "192.0.2.7") as far:
            far.says("CONNECT accept-version:1.2 host:h")
            error = far.hears("ERROR")
            assert "stomp-tx passwd add" in error and "--auth passwd:" in error
            far.hears_the_end()
    with broker(tmp_path, *PROXIED, "--allow-anonymous") as running:
        assert "everybody may connect" in running.log
        with from_address(running, "192.0.2.7") as far:
            far.connects().exchanges_a_message()


def test_guessing_is_slow_and_then_locked_out(tmp_path):
    options = (*passwd(tmp_path, "ann", "bob"), "--set", "broker.login_failures=5")
    with broker(tmp_path, *PROXIED, *options) as running:
        started = time.monotonic()
        for _ in range(5):
            with from_address(running, "192.0.2.66") as eve:
                as_user(eve, "ann", "guess").hears("ERROR")
        assert time.monotonic() - started > 2
        with from_address(running, "192.0.2.66") as eve:
            assert "try again in" in as_user(eve, "ann").hears("ERROR")
            eve.hears_the_end()
        assert "192.0.2.66 is locked out as 'ann' for 300 seconds" in running.log
        with from_address(running, "192.0.2.66") as bob, from_address(running, "192.0.2.7") as ann:
            as_user(bob, "bob").hears("CONNECTED")
            as_user(ann, "ann").hears("CONNECTED")
        # Who tries one user after the other stays outside altogether.
        for number in range(4):
            with from_address(running, "192.0.2.66") as eve:
                as_user(eve, f"user{number}", "guess").hears("ERROR")
        with from_address(running, "192.0.2.66") as bob:
            assert "try again in" in as_user(bob, "bob").hears("ERROR")
        assert "192.0.2.66 is locked out for 300 seconds" in running.log


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
        for number in range(50):
            ann.says("SEND destination:/topic/a", str(number))
            assert ann.hears("MESSAGE").endswith(f"\n\n{number}")
        for peer in storm:
            peer.hears("ERROR")
            peer.socket.close()


def test_a_burst_of_logins_keeps_nobody_outside(tmp_path):
    """Four hundred wrong passcodes wait, half of them of clients that are gone: others get their turn."""
    options = (*passwd(tmp_path, "ann"), "--set", "broker.login_failures=0")
    with broker(tmp_path, *PROXIED, *options) as running, ExitStack() as open_ones:
        places = (f"198.51.100.{number % 4}" for number in range(400))
        burst = [open_ones.enter_context(from_address(running, place)) for place in places]
        for number, peer in enumerate(burst):
            as_user(peer, "ann", "x")
            if number % 2:
                peer.socket.close()
        with from_address(running, "192.0.2.7") as ann:
            as_user(ann, "ann").hears("CONNECTED")
        # In the order in which they came, all of these would have had their answers before.
        waiting = [peer.socket for number, peer in enumerate(burst) if not number % 2]
        answered, _, _ = select.select(waiting, [], [], 0)
        assert len(answered) < len(waiting)
        assert running.stop() == 0


# -- tokens -----------------------------------------------------------------------------------------------

SECRET = "0123456789abcdef0123456789abcdef"


def test_tokens_with_groups_and_renewal(tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "stomp.toml").write_text('[roles.office]\ngroups = ["office"]\nallow = ["all /queue/a"]\n')
    options = ("--auth", "jwt:secret:audience=stomp", "--config", "stomp.toml")

    def token(seconds: float, **more: object) -> str:
        claims = {"sub": "ann", "aud": "stomp", "groups": ["office"], "exp": time.time() + seconds}
        return jwt.encode({**claims, **more}, SECRET, "HS256")

    with broker(tmp_path, *ANY_PORT, *options) as running:
        with peer_of(running) as ann:
            as_user(ann, "whoever", token(3600)).hears("CONNECTED")
            ann.exchanges_a_message()
            ann.says("SEND destination:/session/token receipt:renewed", token(6))
            ann.hears("RECEIPT")
            assert "login expired" in ann.hears("ERROR")  # the new token counts, which ends sooner
        with peer_of(running) as ann:
            as_user(ann, "ann", token(60, groups=[])).hears("CONNECTED")
            ann.says("SEND destination:/queue/a")
            assert "ann may not send to /queue/a" in ann.hears("ERROR")
        for wrong in (token(-60), token(60, aud="web"), token(60)[:-2] + "xx"):
            with peer_of(running) as eve:
                as_user(eve, "ann", wrong).hears("ERROR")
        assert SECRET not in running.log and "eyJ" not in running.log


# -- TLS --------------------------------------------------------------------------------------------------


def over_tls(running: Broker, folder: Path, user: str | None = None) -> Peer:
    context = ssl.create_default_context(cafile=folder / "certs" / "ca.pem")
    if user is not None:
        files = folder / "certs" / f"client-{user}"
        context.load_cert_chain(f"{files}.pem", f"{files}.key")
    plain = socket.create_connection(("127.0.0.1", running.port("stomps")), timeout=PATIENCE)
    try:
        return Peer(context.wrap_socket(plain, server_hostname="localhost"))
    except BaseException:
        plain.close()
        raise


def tls_port(*more: str) -> tuple[str, str]:
    files = "privateKey=certs/server.key:certKey=certs/server.pem"
    return "--port", ":".join(["stomps:0:interface=127.0.0.1", files, *more])


def serial(peer: Peer) -> str:
    shown = peer.socket.getpeercert()
    return shown["serialNumber"]


def test_certificates_of_clients(tmp_path):
    stomp_tx(tmp_path, "cert", "--client", "ann", "--client", "bob")
    (tmp_path / "stomp.toml").write_text('[roles.ann]\nusers = ["ann"]\nallow = ["all >"]\n')
    port = tls_port("ca=certs/ca.pem", "verify=optional")
    with broker(tmp_path, *port, "--auth", "certificate", "--config", "stomp.toml") as running:
        with over_tls(running, tmp_path, "ann") as ann:
            ann.connects().exchanges_a_message()
            assert "connected: ann from" in running.log
        with over_tls(running, tmp_path, "bob") as bob:
            bob.connects().says("SEND destination:/queue/a")
            assert "bob may not send to /queue/a" in bob.hears("ERROR")
        with over_tls(running, tmp_path) as nobody:
            nobody.says("CONNECT accept-version:1.2 host:h")
            nobody.hears("ERROR")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        stomp_tx(elsewhere, "cert", "--client", "ann")
        for name in ("client-ann.pem", "client-ann.key"):
            (tmp_path / "certs" / name).write_bytes((elsewhere / "certs" / name).read_bytes())
        with pytest.raises((ssl.SSLError, ConnectionError)), over_tls(running, tmp_path, "ann") as eve:
            eve.connects()
        assert running.stop() == 0


def test_a_certificate_that_is_taken_back_ends_what_it_opened(tmp_path):
    stomp_tx(tmp_path, "cert", "--client", "ann", "--client", "bob")
    certs = tmp_path / "certs"
    (certs / "crl.pem").write_bytes(revocation_list(certs, []))
    port = tls_port("ca=certs/ca.pem", "crl=certs/crl.pem")
    with (
        broker(tmp_path, *port, "--auth", "certificate") as running,
        over_tls(running, tmp_path, "ann") as ann,
        over_tls(running, tmp_path, "bob") as bob,
    ):
        ann.connects()
        bob.connects()
        (shown, *_) = x509.load_pem_x509_certificates((certs / "client-ann.pem").read_bytes())
        (certs / "crl.pem").write_bytes(revocation_list(certs, [shown.serial_number]))
        hup(running, "certificates were read again")
        assert "changed or taken away" in ann.hears("ERROR")
        bob.exchanges_a_message()


def test_a_new_certificate_without_dropping_a_connection(tmp_path):
    stomp_tx(tmp_path, "cert")
    with broker(tmp_path, *tls_port()) as running, over_tls(running, tmp_path) as ann:
        ann.connects()
        before = serial(ann)
        stomp_tx(tmp_path, "cert")
        hup(running, "certificates were read again")
        ann.exchanges_a_message()
        with over_tls(running, tmp_path) as bob:
            bob.connects()
            assert serial(bob) != before
        (tmp_path / "certs" / "server.pem").write_text("nonsense")
        hup(running, "certificates stay as they are")
        with over_tls(running, tmp_path) as bob:
            bob.connects()


# -- roles ------------------------------------------------------------------------------------------------

ROLES = """
[roles.everybody]
users = ["*"]
allow = ["all /queue/{user}.>", "all /topic/>"]
"""


def test_what_is_revoked_ends_what_it_covered(tmp_path):
    config = tmp_path / "stomp.toml"
    config.write_text(ROLES)
    options = (*ANY_PORT, *passwd(tmp_path, "ann", "bob"), "--config", "stomp.toml")
    with broker(tmp_path, *options) as running, peer_of(running) as ann, peer_of(running) as bob:
        as_user(ann, "ann").hears("CONNECTED")
        as_user(bob, "bob").hears("CONNECTED")
        ann.says("SUBSCRIBE id:1 destination:/topic/secret.* receipt:1")
        ann.hears("RECEIPT")
        bob.says("SUBSCRIBE id:1 destination:/queue/bob.in receipt:1")
        bob.hears("RECEIPT")
        config.write_text(ROLES.replace("all /topic/>", "all /topic/news"))
        hup(running, "policies were read again")
        assert "ann may not subscribe to /topic/secret.*" in ann.hears("ERROR")
        config.write_text(ROLES.replace("all ", "al "))
        hup(running, "policies and roles stay as they are")
        bob.says("SEND destination:/queue/bob.in", "still here")
        bob.hears("MESSAGE")
        bob.says("SEND destination:/queue/ann.in")
        bob.hears("ERROR")


# -- connections ------------------------------------------------------------------------------------------


def test_silent_connections_of_one_address_keep_nobody_else_outside(tmp_path):
    """More than the broker has file descriptors for, again and again: others come in at once all the time."""
    few = ("sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *TWISTD)
    with broker(tmp_path, *PROXIED, "--allow-anonymous", command=few) as running:
        assert "connections: 176 at most, 132 from one address; not logged in: 88, 22" in running.log
        crowd = []
        for number in range(400):
            crowd.append(from_address(running, "192.0.2.66"))
            if number % 50 == 49:
                with from_address(running, "192.0.2.7") as ann:
                    ann.socket.settimeout(2)
                    ann.connects().exchanges_a_message()
        with from_address(running, "192.0.2.7") as ann:
            ann.connects().exchanges_a_message()
        for peer in crowd:
            peer.socket.close()
        assert "Could not accept" not in running.log


# -- floods -----------------------------------------------------------------------------------------------


def test_a_flood_keeps_nobody_from_being_served(tmp_path):
    """With the settings that the manual has for the internet.  How long the others wait is measured where
    nothing else runs: tests/timed/test_floods.py.  Whose turn it is: net/test_read_share.py.
    """
    (tmp_path / "internet.toml").write_text(the_manual_s("internet.toml"))
    options = (*ANY_PORT, *passwd(tmp_path, "ann", "eve"), "--config", "internet.toml")
    with broker(tmp_path, *options) as running, peer_of(running) as ann:
        as_user(ann, "ann").hears("CONNECTED")
        ann.says("SUBSCRIBE id:1 destination:/topic/ann.ping receipt:1")
        ann.hears("RECEIPT")
        before = memory_of(running)
        for said in FLOODS.values():
            with flooding(running, said):
                for number in range(50):
                    ann.says("SEND destination:/topic/ann.ping", str(number))
                    assert ann.hears("MESSAGE").endswith(f"\n\n{number}")
        # Ten connections of 4 MiB frames, half of them unfinished, and what the allocator keeps.
        assert memory_of(running) - before < 150 << 20
        assert running.stop() == 0


def memory_of(running: Broker) -> int:
    """Bytes of memory that the broker's process has taken at most."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
