"""Whatever one client sends, each other one receives."""

import re

import pytest

from tests.interop.driving import KINDS

PAIRS = [(producer, consumer) for producer in KINDS for consumer in KINDS]
# 1.2 with 1.2 is in every other test.
VERSIONS = [("1.0", "1.0"), ("1.1", "1.1"), ("1.0", "1.2"), ("1.2", "1.0"), ("1.1", "1.2")]
BODIES = ["hello", "grüße, 世界, 🦆", "", "a NUL\0, a line\r\n, the end", "\n"]
VALUES = [
    "plain",
    "a:b:c",
    "two\nlines",
    "\r\n",
    "back\\slash",
    "C:\\new",
    "\\",
    "grüße, 世界, 🦆",
]

every_pair = pytest.mark.parametrize(("producer", "consumer"), PAIRS)


def sayable(*speakers):
    """The header values that all of these (client, version) can say and hear."""
    patterns = [KINDS[name].garbles[version] for name, version in speakers if version in KINDS[name].garbles]
    for _, version in speakers:
        patterns += {"1.0": [r"[\r\n]"], "1.1": [r"\r"], "1.2": []}[version]
    return [value for value in VALUES if not any(re.search(pattern, value) for pattern in patterns)]


@every_pair
@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_message(dial, request, producer, consumer, kind):
    destination = request.getfixturevalue(kind)
    ann, bob = dial(producer), dial(consumer)
    bob.subscribe(destination)
    headers = {
        f"x-{number}": value for number, value in enumerate(sayable((producer, "1.2"), (consumer, "1.2")))
    }
    for body in BODIES:
        ann.send(destination, body, headers)
    for body in BODIES:
        message = bob.hears()
        assert message.text == body
        assert {header: message.headers.get(header) for header in headers} == headers
        assert message.headers["destination"] == destination


@pytest.mark.parametrize(
    ("producer", "speaks", "consumer", "hears"),
    [
        (producer, speaks, consumer, hears)
        for producer, consumer in PAIRS
        for speaks, hears in VERSIONS
        if speaks in KINDS[producer].versions and hears in KINDS[consumer].versions
    ],
)
def test_message_between_versions(dial, queue, producer, speaks, consumer, hears):
    ann, bob = dial(producer, speaks), dial(consumer, hears)
    bob.subscribe(queue, "client-individual")
    sent = {
        f"x-{number}": value for number, value in enumerate(sayable((producer, speaks), (consumer, hears)))
    }
    ann.send(queue, "grüße\0", sent)
    message = bob.hears()
    assert message.text == "grüße\0"
    assert {header: message.headers.get(header) for header in sent} == sent
    bob.ack(message)


@every_pair
def test_what_one_refuses_the_other_gets(dial, queue, producer, consumer):
    ann, bob = dial(producer), dial(consumer)
    ann.subscribe(queue, "client-individual")
    ann.send(queue, "hello")
    message = ann.hears()
    bob.subscribe(queue, "client-individual")
    ann.nack(message)
    again = bob.hears()
    assert again.text == "hello"
    assert again.headers["redelivered"] == "true"
    assert again.headers["message-id"] == message.headers["message-id"]
    bob.ack(again)


@every_pair
def test_question_and_answer(dial, queue, producer, consumer):
    ann, bob = dial(producer), dial(consumer)
    bob.subscribe(queue)
    ann.subscribe(f"{queue}/answers")
    ann.send(queue, "6 * 7", {"reply-to": f"{queue}/answers", "correlation-id": "ann:1"})
    question = bob.hears()
    transaction = bob.begin()
    bob.send(
        question.headers["reply-to"],
        "42",
        {"correlation-id": question.headers["correlation-id"]},
        transaction=transaction,
    )
    bob.commit(transaction)
    answer = ann.hears()
    assert answer.text == "42"
    assert answer.headers["correlation-id"] == "ann:1"


def test_all_of_them_at_one_topic(dial, topic, queue):
    names = [name for name, kind in KINDS.items() if kind.missing is None]
    clients = {name: dial(name) for name in names}
    for client in clients.values():
        client.subscribe(topic)
    for name, client in clients.items():
        client.send(topic, f"from {name}", receipt=True)
    for client in clients.values():
        assert [message.text for message in client.hears_many(len(names))] == [
            f"from {name}" for name in names
        ]


def test_all_of_them_share_a_queue(dial, queue):
    names = [name for name, kind in KINDS.items() if kind.missing is None]
    ann, clients = dial("stomp-py"), [dial(name) for name in names]
    for client in clients:
        client.subscribe(queue, "client-individual")
    for number in range(5 * len(names)):
        ann.send(queue, f"{number}")
    heard = []
    for client in clients:
        share = client.hears_many(5)
        for message in share:
            client.ack(message)
        heard += [int(message.text) for message in share]
        client.disconnect()
    assert sorted(heard) == list(range(5 * len(names)))
