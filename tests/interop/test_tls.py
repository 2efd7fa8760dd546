"""Clients that others wrote, over TLS, each verifying the broker's certificate and its name."""

import random

import pytest

from tests.e2e.certificates import Authority
from tests.interop.driving import KINDS, Failed

every_client = pytest.mark.parametrize("name", KINDS)


@every_client
def test_messages_go_both_ways(dial, queue, authority, name):
    ann = dial(name, authority=authority.file)
    bob = dial(name)  # the port without TLS leads to the same queues
    ann.subscribe(queue)
    bob.subscribe(f"{queue}/back")
    body = random.Random(1).randbytes(1024 * 1024)
    bob.send(queue, body, {"x": "a:b\\ c"})
    message = ann.hears()
    assert message.body == body
    assert message.headers["x"] == "a:b\\ c"
    ann.send(f"{queue}/back", body, {"x": "a:b\\ c"})
    message = bob.hears()
    assert message.body == body
    assert message.headers["x"] == "a:b\\ c"
    ann.disconnect()


@every_client
def test_a_hundred_messages_stay_in_order(dial, queue, authority, name):
    ann, bob = dial(name, authority=authority.file), dial(name, authority=authority.file)
    bob.subscribe(queue)
    for number in range(100):
        ann.send(queue, f"{number}")
    assert [message.text for message in bob.hears_many(100)] == [f"{number}" for number in range(100)]
    bob.disconnect()
    ann.disconnect()


@every_client
def test_certificate_of_a_stranger_is_refused(dial, queue, authority, tmp_path, name):
    with pytest.raises(Failed, match=r"(?i)certificate"):
        dial(name, authority=Authority(tmp_path, "strangers").file)
    ann = dial(name, authority=authority.file)
    ann.send(queue, "still here", receipt=True)


@every_client
def test_certificate_of_another_name_is_refused(dial, authority, name):
    with pytest.raises(Failed, match=r"(?i)certificate|IPAddressMismatch"):
        dial(name, authority=authority.file, host="127.0.0.1")  # the certificate is localhost's
