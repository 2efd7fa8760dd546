"""The commands of ``stomp-tx`` with each kind of broker."""

from __future__ import annotations

import json
import subprocess

import pytest
from twisted.internet.threads import deferToThread

from tests.cli.commandline import process
from tests.interop.brokers.waiting import awaited

pytestmark = pytest.mark.timeout(300)  # brokers start within it


@pytest.fixture
def run(broker):
    """Runs a command line; what came of it."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        vhost = "%2F" if broker.host == "/" else ""
        url = f"stomp://{broker.login}:{broker.passcode}@127.0.0.1:{broker.port}/{vhost}"
        return process(*arguments, input="", capture_output=True, environ={"STOMP_URL": url, **more})

    return run


@pytest.fixture
def says(run):
    """What a command line writes, when all went well."""

    def says(*arguments: str) -> str:
        ran = run(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return says


def test_send_and_subscribe(says, queue):
    says("send", queue, "by hand", "--header", "colour:red", "--header", "persistent:true")
    says("send", queue, "another")
    look = ("subscribe", queue, "--ack", "none", "--count", "2", "--format", "body")
    assert says(*look) == "by hand\nanother\n"
    (line,) = says("subscribe", queue, "--count", "1", "--wait", "10", "--format", "json").splitlines()
    told = json.loads(line)
    assert (told["body"], told["headers"]["colour"]) == ("by hand", "red")
    assert says("subscribe", queue, "--wait", "1", "--format", "body") == "another\n"
    assert says("subscribe", queue, "--wait", "0.5", "--format", "body") == ""


def test_a_durable_subscription(broker, run, says, topic, name):
    durable = ("--durable", name, "--connect-header", f"client-id:{name}", "--format", "body")
    assert says("subscribe", topic, *durable, "--wait", "0.5") == ""
    if broker.name == "activemq":  # which would make one that nobody finds again
        ran = run("subscribe", topic, "--durable", name)
        assert (ran.returncode, "client-id" in ran.stderr) == (1, True)
    says("send", topic, "while nobody was there", "--header", "persistent:true")
    assert says("subscribe", topic, *durable, "--count", "1", "--wait", "10") == "while nobody was there\n"


@awaited()
async def test_request(dial, says, queue):
    async with await dial() as client:
        await client.respond(queue, lambda message: message.text().upper())
        assert await deferToThread(says, "request", queue, "hello", "--wait", "10") == "HELLO\n"


def test_nobody_answers_a_request(run, queue):
    ran = run("request", queue, "hello", "--wait", "0.5")
    assert ran.returncode == 1
    assert "no reply" in ran.stderr


def test_ping(broker, says):
    told = json.loads(says("ping", "--count", "3", "--json"))
    assert told["count"] == 3
    assert broker.name.replace("-", "") in told["server"].lower().replace("-", "")


def test_browse(broker, run, says, queue):
    """RabbitMQ can't: it says so, and what can be done instead."""
    for text in ("one", "two"):
        says("send", queue, text)
    ran = run("browse", queue, "--format", "body")
    if broker.name == "rabbitmq":
        assert ran.returncode == 1
        assert "RabbitMQ/" in ran.stderr and "can't browse" in ran.stderr
        assert "stomp-tx subscribe --ack none --wait 1" in ran.stderr
    else:
        assert (ran.returncode, ran.stdout) == (0, "one\ntwo\n")
    assert says("subscribe", queue, "--ack", "none", "--wait", "1", "--format", "body") == "one\ntwo\n"
    assert says("subscribe", queue, "--count", "2", "--wait", "10", "--format", "body") == "one\ntwo\n"


@pytest.mark.parametrize(
    "options", (("--receipts", "--header", "persistent:true"), ("--ack", "client-individual")), ids=str
)
def test_bench(says, queue, options):
    told = json.loads(says("bench", queue, "--count", "2000", "--json", *options))
    assert (told["sent"], told["received"], told["missing"]) == (2000, 2000, 0)


def test_a_wrong_passcode(broker, run):
    vhost = "%2F" if broker.host == "/" else ""
    ran = run("ping", STOMP_URL=f"stomp://guest:wrong@127.0.0.1:{broker.port}/{vhost}")
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1


def test_a_virtual_host_that_is_not_there(broker, run):
    """RabbitMQ has to be told its virtual host: it refuses the name of the machine, which is sent without."""
    ran = run("ping", STOMP_URL=f"stomp://guest:guest@127.0.0.1:{broker.port}")
    assert ran.returncode == (1 if broker.name == "rabbitmq" else 0)
    if broker.name == "rabbitmq":
        assert "127.0.0.1" in ran.stderr
