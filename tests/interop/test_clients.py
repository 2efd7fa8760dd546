"""Each client that others wrote, in each version it speaks, with the broker alone between two of its kind."""

import random
import re
import time

import pytest

from tests.interop.driving import KINDS, Failed

SPEAKERS = [(name, version) for name, kind in KINDS.items() for version in kind.versions]
VALUES = (
    "",
    "plain",
    "a:b:c",
    ":",
    "two\nlines",
    "carriage\rreturn",
    "back\\slash",
    "C:\\new\\readme",
    "\\\\",
    "\\",
    " in spaces ",
    "grüße, 世界, 🦆",
)

every_client = pytest.mark.parametrize("name", KINDS)
every_speaker = pytest.mark.parametrize(
    ("name", "version"), SPEAKERS, ids=[f"{name}-{version}" for name, version in SPEAKERS]
)
every_speaker_with_nack = pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, version in SPEAKERS if version != "1.0"],
    ids=[f"{name}-{version}" for name, version in SPEAKERS if version != "1.0"],
)


def texts(messages):
    return [message.text for message in messages]


def left_in(queue, dial):
    """The bodies in the queue, in their order; it is empty afterwards."""
    last = dial("stomp-py")
    last.send(queue, "the end", receipt=True)
    last.subscribe(queue)
    left = []
    while (message := last.hears()).text != "the end":
        left.append(message.text)
    return left


# -- messages ---------------------------------------------------------------------------------------------


@every_speaker
def test_message_goes_through_a_queue(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    ann.send(queue, "kept until somebody comes")
    bob.subscribe(queue)
    message = bob.hears()
    assert message.text == "kept until somebody comes"
    assert message.headers["destination"] == queue
    assert message.headers["message-id"]


@every_speaker
def test_message_goes_to_every_subscriber_of_a_topic(dial, topic, name, version):
    ann, bob, eve = (dial(name, version) for _ in range(3))
    ann.send(topic, "before anybody listens", receipt=True)
    bob.subscribe(topic)
    eve.subscribe(topic)
    ann.send(topic, "to all")
    assert bob.hears().text == "to all"
    assert eve.hears().text == "to all"


@every_speaker
def test_unsubscribed_means_no_more(dial, queue, topic, name, version):
    ann, bob = dial(name, version), dial(name, version)
    subscription = bob.subscribe(topic)
    bob.subscribe(queue)
    ann.send(topic, "first", receipt=True)
    assert bob.hears().text == "first"
    bob.unsubscribe(subscription)
    ann.send(topic, "second", receipt=True)
    ann.send(queue, "third")
    assert bob.hears().text == "third"


@every_client
def test_a_thousand_messages_stay_in_order(dial, queue, name):
    ann, bob = dial(name), dial(name)
    for number in range(500):
        ann.send(queue, f"{number}")
    bob.subscribe(queue)
    for number in range(500, 1000):
        ann.send(queue, f"{number}")
    assert texts(bob.hears_many(1000)) == [f"{number}" for number in range(1000)]


@every_speaker
def test_consumers_share_a_queue(dial, queue, name, version):
    ann, bob, eve = (dial(name, version) for _ in range(3))
    bob.subscribe(queue)
    eve.subscribe(queue)
    for number in range(20):
        ann.send(queue, f"{number}")
    shares = [], []
    deadline = time.monotonic() + 10
    while len(shares[0]) + len(shares[1]) < 20:
        assert time.monotonic() < deadline, f"not all came in time, but these: {shares}"
        for share, client in zip(shares, (bob, eve), strict=True):
            share += texts(client.has_heard())
    assert sorted(shares[0] + shares[1], key=int) == [f"{number}" for number in range(20)]
    assert len(shares[0]) == len(shares[1])
    for share in shares:
        assert share == sorted(share, key=int)


# -- bodies -----------------------------------------------------------------------------------------------


@every_speaker
@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"\0\n\0\n\nMESSAGE\n\n\0", bytes(range(256)) * 4, "grüße, 世界, 🦆\n".encode()],
    ids=["empty", "a NUL", "like a frame", "every octet", "UTF-8"],
)
def test_body_arrives_as_it_was_sent(dial, queue, name, version, body):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    ann.send(queue, body)
    ann.send(queue, "what comes behind it")
    assert bob.hears().body == body
    assert bob.hears().text == "what comes behind it"


@every_speaker
def test_body_of_one_mebibyte(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    body = random.Random(0).randbytes(1024 * 1024)
    ann.send(queue, body)
    assert bob.hears().body == body


# -- headers ----------------------------------------------------------------------------------------------


@every_speaker
def test_header_values_arrive_as_they_were_sent(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    # What the version can't say, and what the client can't.
    unsayable = {"1.0": r"[\r\n]|^ | $", "1.1": r"\r", "1.2": r"(?!)"}[version]
    garbled = KINDS[name].garbles.get(version, r"(?!)")
    values = [value for value in VALUES if not re.search(f"{unsayable}|{garbled}", value)]
    assert len(values) >= 3
    sent = {f"x-{number}": value for number, value in enumerate(values)}
    ann.send(queue, "hello", sent)
    heard = bob.hears().headers
    assert {header: heard.get(header) for header in sent} == sent


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.names])
def test_header_names_arrive_as_they_were_sent(dial, topic, name):
    ann, bob, eve = dial(name), dial(name), dial("stomp-py")
    sent = {"a:b": "1", "two\nlines": "2", "back\\slash": "3", "größe": "4", "a:b\\c": "5:6"}
    for client in (bob, eve):
        client.subscribe(topic)
    ann.send(topic, "hello", sent)
    for client in (bob, eve):
        heard = client.hears().headers
        assert {header: heard.get(header) for header in sent} == sent


@every_speaker
def test_destination_may_be_any_text(dial, queue, name, version):
    destination = f"{queue} 世界" + ("" if (name, version) == ("stompjs", "1.1") else ":\\ .")
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(destination)
    ann.send(destination, "hello")
    assert bob.hears().headers["destination"] == destination


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if "1.0" in kind.versions])
def test_line_feed_reaches_a_client_of_1_0_as_a_space(dial, queue, name):
    ann, bob = dial("stomp-py"), dial(name, "1.0")
    bob.subscribe(queue)
    ann.send(queue, "hello", {"x": "two\nlines: fine"})
    assert bob.hears().headers["x"] == "two lines: fine"


# -- acknowledgement --------------------------------------------------------------------------------------


@every_speaker
def test_auto_needs_no_ack(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "auto")
    ann.send(queue, "hello")
    assert bob.hears().text == "hello"
    bob.disconnect()
    assert left_in(queue, dial) == []


@every_speaker
def test_client_ack_takes_in_all_before_it(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "client")
    for number in range(5):
        ann.send(queue, f"{number}")
    heard = bob.hears_many(5)
    bob.ack(heard[2])
    bob.disconnect()
    assert left_in(queue, dial) == ["3", "4"]


@every_speaker
def test_client_individual_ack_is_for_one(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "client-individual")
    for number in range(5):
        ann.send(queue, f"{number}")
    heard = bob.hears_many(5)
    bob.ack(heard[3])
    bob.ack(heard[1])
    bob.disconnect()
    assert left_in(queue, dial) == ["0", "2", "4"]


@every_speaker
def test_unacknowledged_message_comes_again(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    ann.send(queue, "hello")
    subscription = bob.subscribe(queue, "client-individual")
    first = bob.hears()
    assert first.headers.get("redelivered", "false") == "false"
    bob.unsubscribe(subscription)
    bob.subscribe(queue, "client-individual")
    again = bob.hears()
    assert again.text == "hello"
    assert again.headers["redelivered"] == "true"
    bob.ack(again)
    bob.disconnect()
    assert left_in(queue, dial) == []


@every_speaker_with_nack
def test_nack_returns_the_message_to_the_queue(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "client-individual")
    ann.send(queue, "hello")
    bob.nack(bob.hears())
    again = bob.hears()
    assert again.text == "hello"
    assert again.headers["redelivered"] == "true"
    bob.ack(again)
    bob.disconnect()
    assert left_in(queue, dial) == []


@every_speaker_with_nack
def test_nack_in_client_mode_takes_in_all_before_it(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "client")
    for number in range(3):
        ann.send(queue, f"{number}")
    heard = bob.hears_many(3)
    bob.ack(heard[0])
    bob.nack(heard[2])
    again = bob.hears_many(2)
    assert texts(again) == ["1", "2"]
    bob.ack(again[1])
    bob.disconnect()
    assert left_in(queue, dial) == []


# -- transactions -----------------------------------------------------------------------------------------


@every_speaker
def test_transaction_sends_at_commit(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    transaction = ann.begin()
    ann.send(queue, "second", transaction=transaction)
    ann.send(queue, "third", transaction=transaction)
    ann.send(queue, "first", receipt=True)
    assert bob.hears().text == "first"
    ann.commit(transaction)
    assert texts(bob.hears_many(2)) == ["second", "third"]


@every_speaker
def test_aborted_transaction_sends_nothing(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    transaction = ann.begin()
    ann.send(queue, "never", transaction=transaction)
    ann.abort(transaction)
    ann.send(queue, "hello", receipt=True)
    assert bob.hears().text == "hello"


@every_speaker
def test_two_transactions_at_once(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue)
    one, other = ann.begin(), ann.begin()
    ann.send(queue, "never", transaction=one)
    ann.send(queue, "hello", transaction=other)
    ann.abort(one)
    ann.commit(other)
    assert bob.hears().text == "hello"


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, version in SPEAKERS if KINDS[name].settles_in_transactions],
)
def test_acks_in_a_transaction(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    bob.subscribe(queue, "client-individual")
    for number in range(4):
        ann.send(queue, f"{number}")
    heard = bob.hears_many(4)
    kept, undone = bob.begin(), bob.begin()
    bob.ack(heard[1], transaction=kept)
    bob.ack(heard[2], transaction=undone)
    bob.send(queue, "answer", transaction=kept)
    bob.commit(kept)
    bob.abort(undone)
    assert bob.hears().text == "answer"
    bob.disconnect()
    assert left_in(queue, dial) == ["0", "2", "3", "answer"]


# -- the connection ---------------------------------------------------------------------------------------


@every_speaker
def test_receipt_comes_when_the_message_is_in_the_queue(dial, queue, name, version):
    ann = dial(name, version)
    for number in range(3):
        ann.send(queue, f"{number}", receipt=True)
    assert left_in(queue, dial) == ["0", "1", "2"]


@every_speaker
def test_disconnect_has_its_receipt_and_the_broker_closes(dial, queue, name, version):
    ann = dial(name, version)
    ann.send(queue, "last words")
    ann.disconnect()
    assert left_in(queue, dial) == ["last words"]


@every_speaker
def test_error_reaches_the_client(dial, queue, name, version):
    ann, bob = dial(name, version), dial(name, version)
    ann.send("/queue/", "to nowhere")
    error = ann.hears_error()
    assert error.headers["message"] == "destination has no name"
    if name != "stompit":  # it shows the body to nobody
        assert error.text == "/queue/NAME is a destination\n"
    ann.hears_the_end()
    bob.subscribe(queue)  # and nobody else notices
    bob.send(queue, "still here")
    assert bob.hears().text == "still here"


@pytest.mark.parametrize(
    ("name", "version"), [(name, version) for name, version in SPEAKERS if KINDS[name].says_anything]
)
def test_error_at_an_unknown_command(dial, name, version):
    ann = dial(name, version)
    ann.says("NONSENSE")
    error = ann.hears_error()
    assert error.headers["message"] == "unknown command"
    ann.hears_the_end()


def test_error_for_a_frame_that_asked_for_a_receipt_is_the_answer_to_it(dial, queue):
    ann = dial("stompman")
    with pytest.raises(Failed, match=r"SendReceiptError.*reason='rejected'"):
        ann.send(queue, "hello", {"transaction": "never-begun"}, receipt=True)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.another_version])
def test_version_that_is_none_is_refused(dial, name):
    with pytest.raises(
        Failed, match=r"no common protocol version|Supported protocol versions are 1.0 1.1 1.2"
    ):
        dial(name, "9.9")
