"""Backups and checks of a broker's file while it takes, delivers and removes messages."""

import json
import subprocess
import sys
import threading
import time

from tests.e2e.running import PATIENCE, broker, environment, peer_of

PORT = ("--port", "tcp:0:interface=127.0.0.1", "--engine", "sqlite:stomp.db")


def stomp_tx(folder, *arguments):
    """What the command printed; it has to succeed."""
    ran = subprocess.run(
        [sys.executable, "-m", "stomp_tx", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), f"{arguments}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


class Load:
    """Clients that send and consume in threads, until the block ends; a client's failure is the block's."""

    def __init__(self, running):
        self.running = running
        self.receipted = 0  # messages 1 to this one of /queue/all are safe
        self.consumed = threading.Event()
        self.sent = threading.Event()
        self.failures = []
        self.sender = threading.Thread(target=self.run, args=(self.sends,))
        self.consumer = threading.Thread(target=self.run, args=(self.consumes,))

    def __enter__(self):
        self.sender.start()
        self.consumer.start()
        return self

    def __exit__(self, *exception):
        self.consumed.set()
        self.consumer.join()  # it may need some more to come
        self.sent.set()
        self.sender.join()
        assert not self.failures, self.failures

    def run(self, work):
        try:
            with peer_of(self.running) as peer:
                work(peer.connects())
        except BaseException as failure:
            self.failures.append(failure)

    def sends(self, peer):
        number = 0
        while not self.sent.is_set():
            for _ in range(20):
                number += 1
                peer.says("SEND destination:/queue/all persistent:true", f"{number} {'x' * 1000}")
                peer.says("SEND destination:/queue/passing persistent:true", f"{number}")
            peer.says(f"SEND destination:/queue/passing persistent:true receipt:{number}")
            peer.hears("RECEIPT")
            self.receipted = number
            time.sleep(0.005)

    def consumes(self, peer):
        peer.says("SUBSCRIBE id:1 destination:/queue/passing ack:client")
        while not self.consumed.is_set():
            for _ in range(50):
                message = peer.hears("MESSAGE")
            ack = message.split("\nack:")[1].split("\n")[0]
            peer.says(f"ACK id:{ack}")


def test_backups_of_a_broker_under_load_have_all_that_was_receipted(tmp_path):
    saved = []
    with broker(tmp_path, *PORT) as running:
        with Load(running) as load:
            for number in range(3):
                time.sleep(0.2)
                before = load.receipted
                stomp_tx(tmp_path, "backup", "stomp.db", f"copy-{number}.db")
                saved.append(before)
                report = json.loads(stomp_tx(tmp_path, "check", "--json", "stomp.db"))
                assert {queue["name"] for queue in report["queues"]} >= {"/queue/all"}
        assert running.stop() == 0
        assert "#critical" not in running.log
    stomp_tx(tmp_path, "check", "stomp.db")
    assert saved[0] > 0
    assert saved == sorted(set(saved))
    for number, before in enumerate(saved):
        copy = f"copy-{number}.db"
        report = json.loads(stomp_tx(tmp_path, "check", "--json", copy))
        (count,) = (queue["messages"] for queue in report["queues"] if queue["name"] == "/queue/all")
        assert count >= before
        if number in (0, len(saved) - 1):
            assert_a_broker_has(tmp_path, copy, count)


def assert_a_broker_has(folder, copy, count):
    """All messages of /queue/all, in their order; and it goes on from there."""
    with broker(folder, *PORT[:3], f"sqlite:{copy}") as running:
        with peer_of(running) as ann:
            ann.connects().says("SUBSCRIBE id:1 destination:/queue/all receipt:s")
            ann.hears("RECEIPT")
            for number in range(1, count + 1):
                assert ann.hears("MESSAGE").partition("\n\n")[2].split()[0] == str(number)
            ann.says("SEND destination:/queue/all persistent:true", "one more")
            assert ann.hears("MESSAGE").endswith("one more")
        assert running.stop() == 0
    stomp_tx(folder, "check", copy)
