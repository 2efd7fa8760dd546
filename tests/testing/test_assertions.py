"""What a test says of frames."""

from __future__ import annotations

import pytest

from stomp_tx.testing import MemoryBroker, ScriptedBroker, assert_frame, frames_in
from stomp_tx.wire.frame import Frame


def test_a_frame_that_is_as_expected() -> None:
    frame = Frame("MESSAGE", {"destination": "/queue/a", "message-id": "1"}, b"x")
    assert_frame(frame, "MESSAGE")
    assert_frame(frame, "MESSAGE", body="x", message_id="1", redelivered=None)
    assert_frame(frame, "MESSAGE", body=b"x", destination="/queue/a")


@pytest.mark.parametrize(
    "expected, said",
    [
        ({"command": "RECEIPT"}, "the command is MESSAGE, not RECEIPT"),
        ({"command": "MESSAGE", "body": "y"}, "the body is b'x', not b'y'"),
        ({"command": "MESSAGE", "message_id": "2"}, "the header message-id is '1', not '2'"),
        ({"command": "MESSAGE", "message_id": None}, "the header message-id is '1', not None"),
    ],
)
def test_what_is_wrong_is_said(expected: dict[str, str], said: str) -> None:
    with pytest.raises(AssertionError) as raised:
        assert_frame(Frame("MESSAGE", {"message-id": "1"}, b"x"), **expected)
    assert said in str(raised.value)


def test_frames_in_octets() -> None:
    octets = b"RECEIPT\nreceipt-id:a\\cb\n\n\0\n\nMESSAGE\n\nx\0MESS"
    receipt, message = frames_in(octets)
    assert_frame(receipt, "RECEIPT", receipt_id="a:b")
    assert_frame(message, "MESSAGE", body="x")


def test_a_test_that_speaks_for_the_broker() -> None:
    broker = ScriptedBroker()
    connecting = broker.accepts(login="ann", passcode="secret")
    assert_frame(broker.hears("CONNECT"), "CONNECT", login="ann", passcode="secret")
    assert broker.hears_nothing()
    broker.says("ERROR", message="not today")
    failed: list[object] = []
    connecting.addErrback(failed.append)
    assert "not today" in str(failed[0])


def test_a_peer_whose_broker_closes() -> None:
    peer = MemoryBroker().stranger()
    peer.says("SEND", destination="/queue/a")
    peer.fails("not connected")
    assert peer.is_closed
