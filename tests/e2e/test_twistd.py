"""The broker as its owner starts it: a process, real sockets, signals."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.certificates import Authority
from tests.e2e.running import (
    PATIENCE,
    TWIST,
    TWISTD,
    Peer,
    broker,
    environment,
    eventually,
    over_tcp,
    peer_of,
    run,
)

PASS_AS_SYSTEMD_DOES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="stomp.socket", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
ANY_PORT = ("--port", "tcp:0:interface=127.0.0.1")


def over_tls(port, context, name="localhost"):
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return Peer(context.wrap_socket(plain, server_hostname=name))
    except ssl.SSLError:
        plain.close()
        raise


def over_unix(path):
    unix = socket.socket(socket.AF_UNIX)
    unix.settimeout(PATIENCE)
    unix.connect(str(path))
    return Peer(unix)


def trusting(authority):
    return ssl.create_default_context(cafile=authority)


# -- policies that change ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_sighup_reads_the_policies_again(tmp_path, command):
    config = tmp_path / "stomp.toml"
    config.write_text("")
    with (
        broker(tmp_path, *ANY_PORT, "--config", "stomp.toml", command=command) as running,
        peer_of(running) as ann,
    ):
        ann.connects().exchanges_a_message()
        config.write_text('[policy."/queue/small"]\nlength = 1\noverflow = "reject"\n[limits]\nheaders = 5')
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: "policies were read again" in running.log, "the broker reads its policies")
        assert "needs a restart: limits" in running.log
        config.write_text('[policy."/queue/small"]\nlegnth = 9')
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: "policies and roles stay" in running.log, "the broker says what is wrong")
        assert "did you mean policy.length?" in running.log
        ann.says("SEND destination:/queue/small receipt:1", "1")
        ann.hears("RECEIPT")
        ann.says("SEND destination:/queue/small", "2")
        assert "queue full" in ann.hears("ERROR")
        assert running.stop() == 0


def test_sighup_without_a_file_does_no_harm(tmp_path):
    with broker(tmp_path, *ANY_PORT) as running, peer_of(running) as ann:
        ann.connects()
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: "started without --config" in running.log, "the broker says so")
        ann.exchanges_a_message()


# -- ways to connect --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_a_message_goes_through(tmp_path, command):
    with broker(tmp_path, *ANY_PORT, command=command) as running, peer_of(running) as ann:
        ann.connects().exchanges_a_message()


def test_ports_share_their_queues(tmp_path):
    with (
        broker(tmp_path, *ANY_PORT, "--port", "unix:stomp.sock", ports=2) as running,
        peer_of(running) as ann,
        over_unix(tmp_path / "stomp.sock") as bob,
    ):
        bob.connects().says("SUBSCRIBE id:1 destination:/queue/a")
        ann.connects().says("SEND destination:/queue/a", "hello")
        assert bob.hears("MESSAGE").endswith("hello")


def test_a_port_may_have_a_dialect(tmp_path):
    with (
        broker(tmp_path, *ANY_PORT, "--port", "rabbitmq:unix:stomp.sock", ports=2) as running,
        over_unix(tmp_path / "stomp.sock") as bob,
        peer_of(running) as ann,
    ):
        for client, queue, says_so in ((bob, "/queue/b", True), (ann, "/queue/a", False)):
            client.connects().says(f"SUBSCRIBE id:1 destination:{queue}")
            client.says(f"SEND destination:{queue}", "hello")
            assert ("redelivered:false" in client.hears("MESSAGE")) == says_so


def test_ipv6(tmp_path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no ::1")
    with (
        broker(tmp_path, "--port", r"tcp6:0:interface=\:\:1") as running,
        over_tcp(running.port("tcp6"), "::1") as ann,
    ):
        ann.connects().exchanges_a_message()


def test_unix_socket_has_its_mode_and_survives_a_kill(tmp_path):
    path = tmp_path / "stomp.sock"
    port = ("--port", "unix:stomp.sock:mode=600")
    with broker(tmp_path, *port) as running:
        assert path.stat().st_mode & 0o777 == 0o600
        running.stop(signal.SIGKILL)
    assert path.exists()
    with broker(tmp_path, *port) as running:
        with over_unix(path) as ann:
            ann.connects().exchanges_a_message()
        assert running.stop() == 0
    assert not path.exists()


def test_tls_with_a_certificate_that_the_client_verifies(tmp_path):
    authority = Authority(tmp_path, "ours")
    authority.server("localhost")
    with broker(tmp_path, "--port", "ssl:0:interface=127.0.0.1") as running:
        with over_tls(running.port("ssl"), trusting(authority.file)) as ann:
            assert ann.socket.version() in ("TLSv1.2", "TLSv1.3")
            ann.connects().exchanges_a_message()
        with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
            over_tls(running.port("ssl"), trusting(Authority(tmp_path, "strangers").file))
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for 'broker"):
            over_tls(running.port("ssl"), trusting(authority.file), "broker.example")
        with over_tls(running.port("ssl"), trusting(authority.file)) as ann:
            ann.connects().exchanges_a_message()


@pytest.mark.parametrize("kind", ["ssl", "stomps", "haproxy:ssl"])
def test_a_tls_client_may_offer_application_protocols(tmp_path, kind):
    """STOMP has no name among them (ALPN): none is chosen, and the connection is as any other."""
    authority = Authority(tmp_path, "ours")
    authority.server("localhost")
    arguments = ("--port", f"{kind}:0:interface=127.0.0.1", "--allow-anonymous")
    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 61613\r\n" if "haproxy" in kind else b""
    with broker(tmp_path, *arguments) as running:
        for offered in (["stomp", "http/1.1"], ["h2"], []):
            context = trusting(authority.file)
            if offered:
                context.set_alpn_protocols(offered)
            with over_tls(running.port(kind), context) as ann:
                assert ann.socket.selected_alpn_protocol() is None
                ann.socket.sendall(header)
                ann.connects().exchanges_a_message()


def test_the_command_for_a_development_certificate_makes_one(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    refused = run(tmp_path, "--port", "ssl:0:interface=127.0.0.1")
    assert refused.returncode == 1
    assert f"there is no server.pem in {tmp_path}" in refused.stderr
    command = re.search(r"openssl req .*", refused.stderr)[0]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True, timeout=PATIENCE)
    with broker(tmp_path, "--port", "ssl:0:interface=127.0.0.1") as running:
        for name in ("localhost", "127.0.0.1"):
            with over_tls(running.port("ssl"), trusting(tmp_path / "server.pem"), name) as ann:
                ann.connects().exchanges_a_message()


def test_proxy_protocol(tmp_path):
    with broker(tmp_path, "--port", "haproxy:tcp:0:interface=127.0.0.1", "--allow-anonymous") as running:
        with over_tcp(running.port("haproxy")) as ann:
            ann.socket.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 61613\r\n")
            ann.connects().exchanges_a_message()
        assert "192.0.2.7" in running.log


def test_socket_from_systemd(tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        fd = listening.fileno()
        # As systemd does it: the socket is descriptor 3, and the environment says so to this very process.
        passing = (sys.executable, "-c", PASS_AS_SYSTEMD_DOES, str(fd), *TWISTD)
        with broker(
            tmp_path, "--port", "systemd:domain=INET:index=0", command=passing, pass_fds=[fd]
        ) as running:
            assert running.ports == ["systemd:domain=INET:index=0"]
            with over_tcp(listening.getsockname()[1]) as ann:
                ann.connects().exchanges_a_message()


# -- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_ends_the_connections_and_the_process(tmp_path, command, signum):
    with broker(tmp_path, *ANY_PORT, command=command) as running:
        with peer_of(running) as ann, peer_of(running) as stranger:
            ann.connects()
            running.process.send_signal(signum)
            ann.hears_the_end()
            assert "message:the broker is stopping" in stranger.hears("ERROR")
            stranger.hears_the_end()
        assert running.process.wait(PATIENCE) == 0
        assert "Traceback" not in running.log
        again = f"tcp:{running.port()}:interface=127.0.0.1"
    with broker(tmp_path, "--port", again) as running, peer_of(running) as ann:
        ann.connects()


def test_client_that_reads_nothing_does_not_keep_the_process(tmp_path):
    arguments = (*ANY_PORT, "--set", "broker.linger=0.2", "--set", "broker.stop_timeout=600")
    with broker(tmp_path, *arguments) as running, peer_of(running) as ann, peer_of(running) as bob:
        ann.connects().says("SUBSCRIBE id:1 destination:/topic/a receipt:1")
        ann.hears("RECEIPT")
        bob.connects()
        for _ in range(100):
            bob.says("SEND destination:/topic/a", "x" * 100_000)
        bob.says("SEND destination:/topic/a receipt:2")
        bob.hears("RECEIPT")
        assert running.stop() == 0  # long before stop_timeout


def test_systemd_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(PATIENCE)
        systemd.bind(str(tmp_path / "notify"))
        with broker(tmp_path, *ANY_PORT, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as running:
            assert systemd.recv(100) == b"READY=1"
            assert running.stop() == 0
            assert systemd.recv(100) == b"STOPPING=1"


def test_daemon(tmp_path):
    pidfile = tmp_path / "twistd.pid"
    started = run(tmp_path, "--port", "unix:stomp.sock", command=TWISTD[:1])
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    pid = int(pidfile.read_text())
    try:
        with over_unix(tmp_path / "stomp.sock") as ann:
            ann.connects().exchanges_a_message()
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not pidfile.exists(), "the daemon ends")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert "STOMP 1.0-1.2 at unix:stomp.sock" in (tmp_path / "twistd.log").read_text()


# -- what can't start -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [TWISTD, TWISTD[:1], TWIST], ids=["twistd -n", "twistd", "twist"])
def test_what_is_wrong_is_one_line_before_anything_starts(tmp_path, command):
    (tmp_path / "stomp.toml").write_text("[limits]\nfram = 1\n")
    for arguments, line in {
        ("--config", "stomp.toml"): "unknown setting limits.fram in stomp.toml; did you mean limits.frame?",
        ("--port", "61613"): "can't use port 61613: an endpoint string begins with its kind: tcp:61613",
        ("--engine", "disk:"): "unknown engine 'disk:': the engines are: sqlite:PATH, memory:",
        ("--prot", "1"): "option --prot not recognized: see twistd stomp --help",
    }.items():
        refused = run(tmp_path, *arguments, command=command)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"stomp: {line}\n")
    assert os.listdir(tmp_path) == ["stomp.toml"]


@pytest.mark.parametrize("command", [TWISTD[:2], TWISTD[:1], TWIST], ids=["twistd -n", "twistd", "twist"])
def test_port_in_use_ends_the_process_and_says_so(tmp_path, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        refused = run(tmp_path, *ANY_PORT, "--port", port, command=command)
    assert refused.returncode == 1
    log = tmp_path / "twistd.log"
    said = refused.stdout + refused.stderr
    whole = f"can't listen at {port}: address already in use"
    # The daemon tells its parent, who cuts it short and ends; and then the log.
    eventually(lambda: whole in said + (log.read_text() if log.exists() else ""), "the whole line")
    assert f"can't listen at {port}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "twistd.pid").exists()


LATE = """
from twisted.internet import reactor, task
from stomp_tx.service.port import PortService
from stomp_tx.service.process import OrderedServices

class Endpoint:
    def listen(self, factory):
        return task.deferLater(reactor, 0.01, open, "there/is/none")

process = OrderedServices(reactor)
PortService(Endpoint(), None, reactor, "slow:1", print).setServiceParent(process)
process.startService()
reactor.addSystemEventTrigger("before", "shutdown", process.stopService)
reactor.run()
print("ended")
"""


def test_port_that_fails_later_ends_the_process_too(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", LATE], env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stdout) == (1, "ended\n")
    assert "can't listen at slow:1: no such file or directory" in ran.stderr


# -- the log ----------------------------------------------------------------------------------------------


def test_one_line_for_each_event_of_a_connection_and_no_passcode(tmp_path):
    with broker(tmp_path, *ANY_PORT) as running:
        with peer_of(running) as ann:
            ann.connects().exchanges_a_message()
            ann.says("DISCONNECT receipt:bye")
            ann.hears("RECEIPT")
            ann.hears_the_end()
        for malformed in (
            "CONNECT accept-version:9 passcode:open-sesame",
            "CONNECT accept-version:1.2 passcode:open-sesame heart-beat:1",
            "CONNECT accept-version:1.2 host:localhost passcode=open-sesame",
            "SEND passcode:open-sesame destination:/queue/a",
        ):
            with peer_of(running) as mallory:
                mallory.says(malformed)
                mallory.hears("ERROR")
        eventually(lambda: running.log.count("disconnected") == 5, "all are logged")
        assert running.stop() == 0
        log = running.log
    assert "sesame" not in log
    lines = [line for line in log.splitlines() if "[stomp_tx#" in line]
    assert len(re.findall(r"\w+ connected: anonymous from .*, STOMP 1\.2\n", "\n".join(lines))) == 1
    assert len(re.findall(r"got ERROR: ", "\n".join(lines))) == 4
    assert len(lines) == 2 + 2 + 2 * 4 + 1  # limits, listens; ann; four times mallory; stops
    assert "Traceback" not in log


def test_help_teaches():
    shown = subprocess.run(
        [*TWISTD, "stomp", "--help"], env=environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert shown.returncode == 0
    for option in ("--port", "--config", "--engine", "--set", "--settings", "ssl:61617", "haproxy:tcp:"):
        assert option in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_settings_print_a_file_that_config_takes(tmp_path):
    shown = run(tmp_path, "--settings", "--set", "broker.prefetch=7")
    assert shown.returncode == 0
    Path(tmp_path / "stomp.toml").write_text(shown.stdout)
    again = run(tmp_path, "--settings", "--config", "stomp.toml")
    assert "\nprefetch = 7  # --set\n" in shown.stdout
    assert again.stdout == shown.stdout.replace("# --set\n", "# stomp.toml\n")
