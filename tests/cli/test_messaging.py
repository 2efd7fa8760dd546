"""What a user does by hand, over a real broker."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from stomp_tx.testing import BrokerProcess, run_broker
from stomp_tx.testing.process import DEFAULT, PATIENCE, environment
from tests.cli.commandline import process


class Shell:
    """Runs commands against one broker."""

    def __init__(self, broker: BrokerProcess, **environ: str) -> None:
        self.environ = {"STOMP_URL": f"stomp://127.0.0.1:{broker.port()}", **environ}

    def run(
        self, *arguments: str, input: str = "", stdout: int | IO[str] = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        return process(*arguments, input=input, stdout=stdout, stderr=subprocess.PIPE, **self.more())

    def says(self, *arguments: str, input: str = "") -> str:
        """What it writes, when all went well."""
        ran = self.run(*arguments, input=input)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def begins(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "stomp_tx", *arguments],
            env=environment(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def more(self) -> dict[str, object]:
        return {"environ": self.environ}


@pytest.fixture
def shell(stomp_broker: BrokerProcess) -> Shell:
    return Shell(stomp_broker)


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    return f"/queue/{request.node.name}"


def test_send_and_subscribe(shell: Shell, queue: str) -> None:
    shell.says("send", queue, "hello", "-H", "colour:red", "-p")
    shell.says("send", queue, '{"a": 1}', "-t", "application/json")
    shown = shell.says("subscribe", queue, "--count", "2")
    first, colour, persistent, body, *rest = shown.splitlines()
    assert first.startswith(f"{queue}  ") and first.endswith("  5 octets")
    assert (colour, persistent, body) == ("colour: red", "persistent: true", "hello")
    assert [line.strip() for line in rest[1:]] == ["{", '"a": 1', "}"]


def test_bodies_from_files_lines_and_stdin(shell: Shell, queue: str, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"one\ntwo\r\nthree")
    shell.says("send", queue, "--file", str(file))
    shell.says("send", queue, "--file", str(file), "--lines")
    shell.says("send", queue, "--file", str(file), "--lines", "--count", "2")
    shell.says("send", queue, input="from stdin")
    shell.says("send", queue, "--lines", input="1\n2")
    shell.says("send", queue, "x", "--count", "3", "--no-receipt")
    lines = shell.says("subscribe", queue, "--count", "16", "--format", "body")
    three = "one\ntwo\nthree\n"
    assert lines.replace("\r\n", "\n") == three * 4 + "from stdin\n1\n2\nx\nx\nx\n"


def test_json_lines_for_programs(shell: Shell, queue: str) -> None:
    told = json.loads(shell.says("send", queue, "é", "--count", "2", "--json"))
    assert (told["sent"], told["destination"]) == (2, queue)
    shell.says("send", queue, "--file", "/dev/stdin", input="x")
    lines = shell.says("subscribe", queue, "--count", "3", "--format", "json").splitlines()
    messages = [json.loads(line) for line in lines]
    assert [message["body"] for message in messages] == ["é", "é", "x"]
    assert {message["headers"]["destination"] for message in messages} == {queue}
    assert all("redelivered" not in message["headers"] for message in messages)


def test_a_body_that_is_no_text_comes_out_as_it_went_in(shell: Shell, queue: str, tmp_path: Path) -> None:
    body = tmp_path / "body.gz"
    body.write_bytes(gzip.compress(b"hello"))
    shell.says("send", queue, "--file", str(body))
    for command in ("browse", "subscribe"):
        with open(tmp_path / "out", "w+") as out:
            assert shell.run(command, queue, "--count", "1", "--format", "raw", stdout=out).returncode == 0
        assert (tmp_path / "out").read_bytes() == body.read_bytes()


def test_fewer_than_asked_for_is_a_failure(shell: Shell, queue: str) -> None:
    ran = shell.run("subscribe", queue, "--count", "2", "--wait", "0")
    assert ran.returncode == 1
    assert ran.stderr == "stomp-tx: 0 messages came, not 2\n"
    assert shell.says("subscribe", queue, "--wait", "0") == ""


def test_to_look_and_leave_it(shell: Shell, queue: str) -> None:
    shell.says("send", queue, "--lines", input="1\n2\n3\n")
    for _ in range(2):
        shown = shell.says("subscribe", queue, "--ack", "none", "--count", "3", "--format", "body")
        assert shown.split() == ["1", "2", "3"]
    assert shell.says("browse", queue, "--format", "body", "--count", "2").split() == ["1", "2"]
    ran = shell.run("browse", queue)
    assert ran.returncode == 0 and "3 messages" in ran.stderr
    assert shell.says("subscribe", queue, "--selector", "a = 1", "--wait", "0") == ""


def test_to_look_at_a_durable_subscription_makes_changes_and_drops_nothing(shell: Shell) -> None:
    topic = "/topic/looked.at"
    look = ("subscribe", topic, "--durable", "d", "--ack", "none", "--format", "body")
    ran = shell.run(*look)
    assert ran.returncode == 1 and "no such durable subscription" in ran.stderr
    shell.says("subscribe", topic, "--durable", "d", "--selector", "colour = 'red'", "--wait", "0")
    for colour in ("red", "blue", "red"):
        shell.says("send", topic, colour, "-H", f"colour:{colour}", "-p")
    for selector, seen in (
        ("colour = 'blue'", []),
        (None, ["red", "red"]),
        ("colour = 'red'", ["red", "red"]),
    ):
        more = () if selector is None else ("--selector", selector)
        end = ("--count", f"{len(seen)}") if seen else ("--wait", "0")
        assert shell.says(*look, *more, *end).split() == seen
    assert shell.says(*look, "--count", "1", "--reconnect").split() == ["red"]
    shown = shell.says("subscribe", topic, "--durable", "d", "--count", "2", "--format", "json")
    assert [json.loads(line)["body"] for line in shown.splitlines()] == ["red", "red"]
    assert "redelivered" not in shown


def test_so_it_is_of_a_queue_that_several_share(shell: Shell) -> None:
    queue, topic = "/topic/shared::q", "/topic/shared"
    shell.says("subscribe", queue, "--wait", "0")
    for colour in ("red", "blue"):
        shell.says("send", topic, colour, "-H", f"colour:{colour}", "-p")
    look = ("subscribe", queue, "--ack", "none", "--count", "1", "--format", "body")
    assert shell.says(*look, "--selector", "colour = 'blue'") == "blue\n"
    assert shell.says(*look, "--selector", "colour = 'red'") == "red\n"
    assert shell.says(
        "subscribe", queue, "--selector", "colour = 'red'", "--count", "1", "--format", "body"
    ) == ("red\n")
    assert shell.says(*look) == "blue\n"


def test_where_it_can_not_only_look_it_says_so() -> None:
    with run_broker(*DEFAULT, "--set", "broker.server=") as broker:
        shell = Shell(broker)
        for option in (("--durable", "d"), ("-H", "durable:true")):
            ran = shell.run("subscribe", "/topic/t", *option, "--ack", "none")
            assert ran.returncode == 1
            assert "can't show what waits for a durable subscription" in ran.stderr


def test_interrupted_it_leaves_in_order(shell: Shell, queue: str) -> None:
    listening = shell.begins("subscribe", queue, "--format", "body")
    assert listening.stdout is not None
    shell.says("send", queue, "1")
    assert listening.stdout.readline() == "1\n"
    listening.send_signal(signal.SIGINT)
    _, err = listening.communicate(timeout=PATIENCE)
    assert (listening.returncode, err.strip()) == (130, "stomp-tx: interrupted")
    shell.says("send", queue, "2")
    assert shell.says("subscribe", queue, "--count", "1", "--format", "json").count("redelivered") == 0


def test_an_interrupted_send_says_how_many_went_out(shell: Shell, queue: str) -> None:
    for more, told in (
        ([], "sent 2 messages, the broker has receipted 2"),
        (["--no-receipt"], "sent 2 messages"),
    ):
        sending = shell.begins("send", queue, "--lines", *more)
        assert sending.stdin is not None
        sending.stdin.write("1\n2\n")
        sending.stdin.flush()
        shell.says("subscribe", queue, "--count", "2")
        sending.send_signal(signal.SIGINT)
        sending.wait(PATIENCE)
        _, err = sending.communicate()
        assert (sending.returncode, err.strip()) == (130, f"stomp-tx: interrupted; {told}")


def test_a_reader_who_has_seen_enough(shell: Shell, queue: str) -> None:
    shell.says("send", queue, "x", "--count", "50")
    listening = shell.begins("subscribe", queue, "--format", "body")
    assert listening.stdout is not None
    listening.stdout.readline()
    listening.stdout.close()
    shell.says("send", queue, "x", "--count", "50")
    listening.stdout = None
    _, err = listening.communicate(timeout=PATIENCE)
    assert (listening.returncode, err) == (1, "")


def test_what_was_not_shown_is_still_there(shell: Shell, queue: str) -> None:
    shell.says("send", queue, "--lines", input="".join(f"{number}\n" for number in range(50)))
    listening = shell.begins("subscribe", queue, "--format", "body")
    assert listening.stdout is not None
    seen = [listening.stdout.readline().strip() for _ in range(3)]
    listening.kill()
    shown = [*seen, *listening.stdout.read().split()]
    listening.communicate(timeout=PATIENCE)
    end = time.monotonic() + PATIENCE
    left: list[str] = []
    # The broker may not have noticed yet that the other one is gone.
    while len({*shown, *left}) < 50 and time.monotonic() < end:
        left = shell.says("browse", queue, "--format", "body").split()
    assert sorted({*map(int, shown), *map(int, left)}) == list(range(50))


def test_lines_are_sent_as_they_come(shell: Shell, queue: str) -> None:
    sending = shell.begins("send", queue, "--lines")
    assert sending.stdin is not None
    sending.stdin.write("first\n")
    sending.stdin.flush()
    assert shell.says("subscribe", queue, "--count", "1", "--format", "body") == "first\n"
    sending.communicate("last", timeout=PATIENCE)
    assert sending.returncode == 0
    assert shell.says("subscribe", queue, "--count", "1", "--format", "body") == "last\n"


def test_a_rate_is_kept(shell: Shell, queue: str) -> None:
    began = time.monotonic()
    shell.says("send", queue, "x", "--count", "11", "--rate", "20")
    assert time.monotonic() - began > 0.5


def test_a_bar_on_a_terminal(shell: Shell, queue: str) -> None:
    ours, its = pty.openpty()
    sending = subprocess.Popen(
        [sys.executable, "-m", "stomp_tx", "send", queue, "x", "--count", "20000"],
        env=environment({**shell.environ, "TERM": "xterm", "COLUMNS": "100"}),
        stdin=subprocess.DEVNULL,
        stderr=its,
    )
    os.close(its)
    shown = b""
    while True:
        try:
            octets = os.read(ours, 65536)
        except OSError:
            break  # it has ended
        if not octets:
            break
        shown += octets
    os.close(ours)
    assert sending.wait(PATIENCE) == 0
    assert b"/20000" in shown
    assert b"sent 20,000 messages" in shown


def test_request(shell: Shell, queue: str) -> None:
    asking = shell.begins("request", queue, "ping?")
    question = json.loads(shell.says("subscribe", queue, "--count", "1", "--format", "json"))
    headers = question["headers"]
    correlation = f"correlation-id:{headers['correlation-id']}"
    shell.says("send", headers["reply-to"], "pong!", "-H", correlation)
    out, _ = asking.communicate(timeout=PATIENCE)
    assert (asking.returncode, out) == (0, "pong!\n")
    asking = shell.begins("request", queue, "\udcff")  # it need not be text
    question = json.loads(shell.says("subscribe", queue, "--count", "1", "--format", "json"))
    assert question["body_base64"] == "/w=="
    asking.kill()
    asking.communicate()
    ran = shell.run("request", "/queue/nobody", "?", "--wait", "0.2")
    assert (ran.returncode, "no reply" in ran.stderr) == (1, True)


@pytest.mark.parametrize("more", [[], ["--reconnect"]])
def test_frames_can_be_looked_at_but_no_secrets(shell: Shell, queue: str, more: list[str]) -> None:
    shell.environ["STOMP_PASSCODE"] = "se-cret"
    header = ("--connect-header", "Authorization:Bearer to-ken")
    ran = shell.run("send", queue, "hel-lo", "-p", "--verbose", "--login", "ann", *header, *more)
    assert ran.returncode == 0, ran.stderr
    shown = [line.split()[:2] for line in ran.stderr.splitlines()]
    assert shown == [
        [">", "CONNECT"],
        ["<", "CONNECTED"],
        [">", "SEND"],
        ["<", "RECEIPT"],
        [">", "DISCONNECT"],
        ["<", "RECEIPT"],
    ]
    assert f"destination:'{queue}'" in ran.stderr and "login:'ann'" in ran.stderr
    for secret in ("se-cret", "to-ken", "hel-lo"):
        assert secret not in ran.stderr


def test_ping(shell: Shell) -> None:
    told = json.loads(shell.says("ping", "--count", "3", "--interval", "0", "--json"))
    assert told["server"].startswith("stomp-tx/")
    assert 0 < told["min_ms"] <= told["median_ms"] <= told["max_ms"]
    assert shell.says("ping", "--count", "2").count(" ms") == 4


@pytest.mark.parametrize("more", [[], ["--receipts"], ["--ack", "client-individual"], ["--consumers", "0"]])
def test_bench(shell: Shell, more: list[str]) -> None:
    told = json.loads(shell.says("bench", "--count", "2000", "--json", *more))
    assert told["sent"] == 2000
    assert told["received"] == (0 if "0" in more else 2000)
    assert told["missing"] == 0
    if "0" in more:
        shell.says("subscribe", "/queue/stomp-tx.bench", "--count", "2000", "--format", "json")


def test_bench_of_a_topic_as_a_table(shell: Shell) -> None:
    shown = shell.says("bench", "/topic/bench", "--seconds", "0.3", "--consumers", "2", "--receipts")
    assert "received" in shown and "under way: p50" in shown


def test_it_connects_again_when_told_to(tmp_path: Path) -> None:
    with run_broker(*DEFAULT) as broker:
        port = broker.port()
        shell = Shell(broker)
        listening = shell.begins("subscribe", "/topic/a", "--format", "body", "--reconnect", "--count", "1")
        assert listening.stderr is not None
        assert shell.says("ping")
        broker.stop()
        assert "connecting again" in listening.stderr.readline()
    with run_broker("--port", f"tcp:{port}:interface=127.0.0.1", "--engine", "memory:"):
        end = time.monotonic() + PATIENCE
        while listening.poll() is None and time.monotonic() < end:
            shell.run("send", "/topic/a", "again")
        assert listening.communicate(timeout=PATIENCE)[0] == "again\n"


def test_it_says_why_there_is_no_connection_yet(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        url = ("--url", f"stomp://127.0.0.1:{port}")
        ran = process("subscribe", "/topic/a", "--reconnect", "--timeout", "1", *url, capture_output=True)
        assert ran.returncode == 1
        lines = ran.stderr.splitlines()
        assert f"no connection to tcp:127.0.0.1:{port}: Connection was refused" in lines[0]
        assert lines[-1].startswith("stomp-tx: not connected within 1 seconds: ")
        waiting = subprocess.Popen(
            [sys.executable, "-m", "stomp_tx", "subscribe", "/queue/a", "--reconnect", "--count", "1", *url],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr is not None
        assert "trying again" in waiting.stderr.readline()
    with run_broker("--port", f"tcp:{port}:interface=127.0.0.1", "--engine", "memory:") as broker:
        Shell(broker).says("send", "/queue/a", "hello")
        assert "hello" in waiting.communicate(timeout=PATIENCE)[0]


def test_a_wrong_passcode_is_told_at_once(tmp_path: Path) -> None:
    users = str(tmp_path / "users")
    process("passwd", "add", "--stdin", users, "ann", input="secret\n", capture_output=True)
    (tmp_path / "passcode").write_text("wrong\n")
    with run_broker(*DEFAULT, "--auth", f"passwd:{users}") as broker:
        who = ("--login", "ann", "--passcode-file", str(tmp_path / "passcode"))
        for command in (["subscribe", "/queue/a"], ["subscribe", "/queue/a", "--reconnect"], ["ping"]):
            ran = Shell(broker).run(*command, *who)
            assert ran.returncode == 1
            assert ran.stderr == "stomp-tx: login refused: the login or the passcode is wrong\n"


def test_a_context_has_all_that_it_takes(tmp_path: Path) -> None:
    users = str(tmp_path / "users")
    process("passwd", "add", "--stdin", users, "ann", input="secret\n", capture_output=True)
    (tmp_path / "passcode").write_text("secret\n")
    with run_broker(*DEFAULT, "--auth", f"passwd:{users}") as broker:
        shell = Shell(broker, XDG_CONFIG_HOME=str(tmp_path))
        url = shell.environ.pop("STOMP_URL").replace("//", "//ann@")
        shell.says("context", "add", "a", "--url", url, "--passcode-command", f"cat {tmp_path}/passcode")
        shell.says("send", "/queue/a", "--context", "a", input="hello")
        shell.says("context", "select", "a")
        assert shell.says("subscribe", "/queue/a", "--count", "1", "--format", "body") == "hello\n"
        ran = shell.run("ping", "--verbose", "--count", "1")
        assert ran.returncode == 0
        assert ran.stderr.startswith(f"stomp-tx: context a (selected): {url}\n> CONNECT ")
        assert "secret" not in ran.stderr


def test_a_broker_that_has_gone_is_noticed_while_no_line_comes(tmp_path: Path) -> None:
    with run_broker(folder=tmp_path) as running:
        shell = Shell(running)
        sending, benching = (
            shell.begins("send", "/queue/a", "--lines"),
            shell.begins("bench", "--seconds", "60"),
        )
        assert sending.stdin is not None
        sending.stdin.write("first\n")
        sending.stdin.flush()
        shell.says("subscribe", "/queue/a", "--count", "1")
        shell.says("subscribe", "/queue/stomp-tx.bench", "--count", "1")
        running.process.kill()
        for one in (sending, benching):
            one.wait(PATIENCE)
            assert one.returncode == 1
            assert one.stderr is not None
            error = one.stderr.read()
            assert error.startswith("stomp-tx: ") and error.count("\n") == 1, error
            one.communicate()


def test_bench_sends_as_many_as_it_was_told(shell: Shell) -> None:
    told = json.loads(shell.says("bench", "--count", "7", "--producers", "3", "--json"))
    assert (told["sent"], told["received"], told["missing"]) == (7, 7, 0)


@pytest.mark.parametrize("option", [("ping", "--interval"), ("subscribe", "/queue/a", "--wait")])
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_what_is_no_number_of_seconds(shell: Shell, option: tuple[str, ...], value: str) -> None:
    ran = shell.run(*option, value)
    assert ran.returncode == 2 and "Invalid value" in ran.stderr


def test_an_output_that_is_full(shell: Shell, queue: str) -> None:
    with open("/dev/full", "w") as full:
        ran = shell.run("ping", "--count", "1", stdout=full)
    assert ran.returncode == 1
    assert ran.stderr == "stomp-tx: No space left on device\n"


def test_json_is_ascii(shell: Shell, queue: str) -> None:
    """What some take for the end of a line, or for a terminal's commands, is in none of it."""
    shell.says("send", queue, "a\u0085b\u2028c\u009bd")
    said = shell.says("subscribe", queue, "--count", "1", "--format", "json")
    assert said.isascii() and json.loads(said)["body"] == "a\u0085b\u2028c\u009bd"


WITHOUT_DESTINATION = (
    ("send", ["x"]),
    ("subscribe", []),
    ("browse", []),
    ("request", ["x"]),
    ("reply", ["x"]),
)


@pytest.mark.parametrize(
    "arguments", [["--file", "-"], ["--lines", "--file", "-"], ["-n", "2", "--file", "-"]]
)
def test_a_stdin_that_is_closed(shell: Shell, queue: str, arguments: list[str]) -> None:
    command = ("sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "stomp_tx")
    ran = process("send", queue, *arguments, command=command, environ=shell.environ, capture_output=True)
    assert (ran.returncode, ran.stderr) == (1, "stomp-tx: there is no stdin: it is closed\n")


def test_what_goes_wrong_is_one_line(shell: Shell, queue: str) -> None:
    for status, arguments, said in (
        (1, ["send", "/queue/", "x"], "destination has no name"),
        (2, ["send", queue, "x", "--header", "nonsense"], "is no header"),
        (2, ["send", queue, "x", "--lines"], "two bodies"),
        (1, ["send", queue, "--file", "/nonsense"], "can't be read"),
        (2, ["ping", "--url", "nonsense"], "is no URL of a broker"),
        (2, ["ping", "--url", "http://a"], "no kind of connection"),
        (2, ["ping", "--url", "localhost:61613"], "is no URL of a broker: write stomp://localhost:61613\n"),
        (2, ["ping", "--url", "stomp://a:99999"], "a port is a number from 1 to 65535"),
        (2, ["ping", "--url", "tcp:a:99999"], "the port is a number from 1 to 65535, not '99999'"),
        (2, ["ping", "--url", "stomp://ann:secret@127.0.0.1"], "can be seen by everybody"),
        (2, ["ping", "--connect-header", "passcode:secret"], "can be seen by everybody"),
        (2, ["ping", "--login", "ann"], "there is no passcode"),
        (1, ["ping", "--login", "ann", "--passcode-file", "/nonsense"], "can't be read"),
        (2, ["ping", "--cert", "a.pem"], "has no TLS"),
        (2, ["ping", "--ca-file", "a.pem"], "has no TLS"),
        (1, ["ping", "--url", f"stomp://127.0.0.1:{free_port()}"], "no connection to"),
        (1, ["ping", "--url", "stomp+unix:///nonsense"], "no connection to"),
        (2, ["ping", "--url", "stomp://a..b"], "'a..b' is no name of a host"),
        (1, ["ping", "--vhost", "\udcff"], "the header 'host' can't be sent"),
        *((1, [command, "", *body], "a destination is a name") for command, body in WITHOUT_DESTINATION),
    ):
        ran = shell.run(*arguments)
        assert ran.returncode == status, arguments
        assert ran.stderr.startswith("stomp-tx: ") and ran.stderr.count("\n") == 1, ran.stderr
        assert said in ran.stderr, ran.stderr


def test_who_you_are(tmp_path: Path) -> None:
    users = tmp_path / "users"
    assert (
        process(
            "passwd", "add", "--stdin", str(users), "ann", input="secret\n", capture_output=True
        ).returncode
        == 0
    )
    (tmp_path / "passcode").write_text("secret\n")
    with run_broker(*DEFAULT, "--auth", f"passwd:{users}") as broker:
        url = f"stomp://127.0.0.1:{broker.port()}"
        by_file = Shell(broker)
        assert by_file.says(
            "ping", "--login", "ann", "--passcode-file", str(tmp_path / "passcode"), "-n", "1"
        )
        assert Shell(broker, STOMP_PASSCODE="secret").says(
            "ping", "-n", "1", "-u", url.replace("//", "//ann@")
        )
        assert Shell(broker, STOMP_URL=url.replace("//", "//ann:secret@")).says("ping", "-n", "1")
        ran = Shell(broker, STOMP_PASSCODE="wrong").run("ping", "--login", "ann")
        assert (ran.returncode, "wrong" in ran.stderr) == (1, True)
        assert "secret" not in broker.log


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
