"""wire/frames.py: frames made from what they mean."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import FrameError, ProtocolViolation
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame


class FramesTests(SynchronousTestCase):
    def test_one_of_each(self) -> None:
        for frame, octets in (
            (
                frames.connect("x", login="ann", passcode="p", heart_beat=(1, 2)),
                b"CONNECT\naccept-version:1.0,1.1,1.2\nhost:x\nlogin:ann\npasscode:p\nheart-beat:1,2\n\n\0",
            ),
            (frames.send("/queue/a", "é"), "SEND\ndestination:/queue/a\ncontent-length:2\n\né\0".encode()),
            (
                frames.send("/queue/a", b"\0", receipt="1"),
                b"SEND\ndestination:/queue/a\nreceipt:1\ncontent-length:1\n\n\0\0",
            ),
            (
                frames.subscribe("1", "/queue/a", ack="client"),
                b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0",
            ),
            (frames.unsubscribe("1"), b"UNSUBSCRIBE\nid:1\n\n\0"),
            (frames.begin("t"), b"BEGIN\ntransaction:t\n\n\0"),
            (frames.commit("t", receipt="1"), b"COMMIT\ntransaction:t\nreceipt:1\n\n\0"),
            (frames.abort("t"), b"ABORT\ntransaction:t\n\n\0"),
            (frames.disconnect(receipt="1"), b"DISCONNECT\nreceipt:1\n\n\0"),
        ):
            self.assertEqual(frame.encode(), octets)

    def test_more_headers_come_behind_and_override_nothing(self) -> None:
        frame = frames.send("/queue/a", headers={"destination": "/queue/evil", "x": "1", "none": None})
        self.assertEqual(frame.headers, {"destination": "/queue/a", "x": "1"})

    def test_more_headers_may_be_numbers_and_booleans_in_every_frame(self) -> None:
        message = Frame("MESSAGE", {"message-id": "m", "subscription": "s", "ack": "a"})
        for make in (
            lambda more: frames.connect("x", headers=more),
            lambda more: frames.send("/queue/a", headers=more),
            lambda more: frames.subscribe("1", "/queue/a", headers=more),
            lambda more: frames.unsubscribe("1", headers=more),
            lambda more: frames.ack(message, headers=more),
            lambda more: frames.nack(message, headers=more),
        ):
            octets = make({"priority": 9, "persistent": True}).encode()
            self.assertIn(b"\npriority:9\npersistent:true\n", octets)
            with self.assertRaisesRegex(FrameError, "'priority' can't be sent: its value is of type float"):
                make({"priority": 9.0})

    def test_each_version_names_a_message_its_own_way(self) -> None:
        """ "ACK" of STOMP 1.0, 1.1 and 1.2."""
        message = Frame("MESSAGE", {"message-id": "m", "subscription": "s", "ack": "a"})
        self.assertEqual(frames.ack(message).headers, {"id": "a"})
        self.assertEqual(frames.ack(message, version="1.1").headers, {"message-id": "m", "subscription": "s"})
        self.assertEqual(frames.nack(message, transaction="t").headers, {"id": "a", "transaction": "t"})
        bare = Frame("MESSAGE", {"message-id": "m"})
        self.assertEqual(frames.ack(bare, version="1.0").headers, {"message-id": "m"})

    def test_what_can_not_be_acknowledged_is_refused(self) -> None:
        with self.assertRaises(ProtocolViolation):
            frames.nack(Frame("MESSAGE", {"message-id": "m"}), version="1.0")
        with self.assertRaises(ProtocolViolation):
            frames.ack(Frame("MESSAGE", {"message-id": "m"}))
