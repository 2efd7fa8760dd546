"""unconfirmed.py: what is sent again until it is safe."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from stomp_tx.client import (
    Codecs,
    ErrorReceived,
)
from stomp_tx.errors import FrameError, LimitExceeded
from stomp_tx.testing import Faults
from tests.client.serving import QUEUE, ServiceCase


class SendingTests(ServiceCase):
    def test_it_is_remembered_until_it_is_safe(self) -> None:
        service = self.starts()
        sending = service.send(QUEUE, "hello")
        self.successResultOf(sending)
        self.assertEqual(service.unconfirmed, 1)
        self.broker.settle()
        self.assertEqual(service.unconfirmed, 0)
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])

    def test_with_receipt_it_fires_when_it_is_safe_whatever_happens_to_the_connection(self) -> None:
        service = self.starts()
        sending = service.send(QUEUE, "hello", receipt=True)
        self.assertNoResult(sending)
        self.cut()
        self.got(sending)
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])

    def test_while_there_is_no_connection_it_waits(self) -> None:
        self.broker.is_down = True
        service = self.starts()
        sending = [service.send(QUEUE, f"{number}", receipt=True) for number in range(3)]
        self.broker.advance(100)
        self.broker.is_down = False
        self.broker.advance(30)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(self.broker.waiting(QUEUE), [b"0", b"1", b"2"])

    def test_what_the_broker_had_already_it_does_not_have_twice(self) -> None:
        # The broker gets all three and its receipts are lost.
        faults = iter([Faults(cut_after_received=300), Faults()])
        service = self.starts(faults=lambda: next(faults))
        sending = [service.send(QUEUE, f"{number}" * 10, receipt=True) for number in range(30)]
        self.broker.settle()
        self.assertLess(service.unconfirmed, 30)
        self.assertGreater(service.unconfirmed, 0)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 30)
        self.broker.advance(1)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % n * 10 for n in range(30)])

    def test_the_name_of_the_user_is_the_message_s(self) -> None:
        service = self.starts()
        for _ in range(2):
            service.send(QUEUE, "once", headers={"message-dedupe-id": "mine"})
        self.broker.settle()
        self.assertEqual(self.broker.waiting(QUEUE), [b"once"])

    def test_the_window_makes_it_wait(self) -> None:
        service = self.starts(window=3)
        sending = [service.send(QUEUE, f"{number}") for number in range(5)]
        self.assertEqual([one.called for one in sending], [True, True, False, False, False])
        self.broker.settle()
        self.assertEqual([one.called for one in sending], [True] * 5)

    def test_the_window_counts_octets_too(self) -> None:
        service = self.starts(window_octets=100)
        first, second = service.send(QUEUE, "ß" * 25), service.send(QUEUE, "ß" * 25)
        self.assertEqual((first.called, second.called), (True, False))
        self.got(second)

    def test_who_does_not_wait_is_stopped_in_the_end(self) -> None:
        self.broker.is_down = True
        service = self.starts(window=3)
        sending = [service.send(QUEUE, "x") for _ in range(31)]
        error = self.failureResultOf(sending.pop(), LimitExceeded).value
        self.assertIn("await each send", error.detail)
        self.broker.is_down = False
        self.broker.advance(10)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 30)

    def test_a_full_transport_makes_it_wait(self) -> None:
        service = self.starts()
        self.broker.links[0].client.transport.room = 100
        sending = service.send(QUEUE, "x" * 100_000)
        self.assertNoResult(sending)
        self.cut()
        self.got(sending)
        self.assertEqual(len(self.broker.waiting(QUEUE)), 1)

    def test_what_was_not_said_yet_can_be_taken_back(self) -> None:
        service = self.starts()
        said = service.send(QUEUE, "said", receipt=True)
        self.broker.cut()
        unsaid = service.send(QUEUE, "unsaid", receipt=True)
        for one in (said, unsaid):
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.broker.advance(1)
        self.assertEqual(self.broker.waiting(QUEUE), [b"said"])

    def test_what_can_t_be_sent_fails_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        wrong = service.send(QUEUE, "x", headers={"receipt": "1"}, receipt=True)
        self.fails(wrong, FrameError)
        self.fails(service.send(QUEUE, object(), receipt=True), TypeError)
        self.got(service.send(QUEUE, "good", receipt=True))
        self.assertEqual(service.unconfirmed, 0)

    def test_what_this_version_can_t_say_is_logged_where_nobody_waits(self) -> None:
        service = self.starts(versions=("1.0",))
        self.got(service.send(QUEUE, "x", headers={"colour": "red\ngreen"}))
        self.assertEqual(len(self.flushLoggedErrors(FrameError)), 1)
        self.assertEqual(service.unconfirmed, 0)

    def test_what_no_version_can_say_fails_at_once_receipt_or_not(self) -> None:
        wrong: list[tuple[Any, str, dict[str, Any]]] = [
            (None, "x", {}),
            ("", "x", {}),
            (b"/queue/a", "x", {}),
            ([], "x", {}),
            ("/queue/\ud800", "x", {}),
            ("/queue/a\0", "x", {}),
            (QUEUE, "x", {"content_type": 5}),
            (QUEUE, "x", {"content_type": []}),
            (QUEUE, "x", {"headers": {"": "x"}}),
            (QUEUE, "x", {"headers": {"receipt": "x"}}),
            (QUEUE, "x", {"headers": {"colour": "\ud800"}}),
            (QUEUE, "x", {"headers": {"colour": "red\0"}}),
            (QUEUE, "a\0b", {"content_length": False}),
        ]
        for is_down in (False, True):
            self.broker.is_down = is_down
            service = self.starts()
            for destination, body, more in wrong:
                self.fails(service.send(destination, body, **more), FrameError)
                transaction = service.replayed_transaction()
                self.fails(transaction.send(destination, body, **more), FrameError)
            self.assertEqual(service.unconfirmed, 0)
            self.assertEqual(service.connected, not is_down)
            service.stopService()

    def test_what_the_broker_refuses_fails_and_the_rest_goes_on(self) -> None:
        service = self.starts()
        sending = [service.send(name, "x", receipt=True) for name in (QUEUE, "/exchange/nope/x", "/queue/b")]
        self.broker.advance(1)
        self.successResultOf(sending[0])
        self.failureResultOf(sending[1], ErrorReceived)
        self.successResultOf(sending[2])
        self.assertEqual([len(self.broker.waiting(name)) for name in (QUEUE, "/queue/b")], [1, 1])
        self.assertTrue(service.connected)

    def test_bodies_are_what_they_were_when_they_were_sent(self) -> None:
        self.broker.is_down = True
        service = self.starts()
        body = {"a": 1}
        service.send(QUEUE, body)
        body["a"] = 2
        self.broker.is_down = False
        self.broker.advance(5)
        self.assertEqual(self.broker.waiting(QUEUE), [b'{"a":1}'])

    def test_wrong_arguments_are_the_callers_alone(self) -> None:
        """They fail, then and on every later connection, by themselves."""
        service = self.starts()
        for wrong in (
            service.send(QUEUE, "\ud800"),
            service.send(QUEUE, "x", headers={"priority": 0.5}, receipt=True),  # type: ignore[dict-item]
            service.send(QUEUE, "x", content_type="\ud800", receipt=True),
            service.send([], "x", receipt=True),  # type: ignore[arg-type]
            service.send(QUEUE, object()),
        ):
            self.fails(wrong, TypeError, ValueError, FrameError)
        self.broker.is_down = True
        self.cut()
        wrong = service.send(QUEUE, "x", headers={"priority": 0.5}, receipt=True)  # type: ignore[dict-item]
        right = service.send(QUEUE, "y", receipt=True)
        self.broker.is_down = False
        self.broker.advance(10)
        self.fails(wrong, FrameError)
        self.got(right)
        self.assertEqual(self.broker.waiting(QUEUE), [b"y"])

    def test_a_codec_that_fails_in_its_own_way(self) -> None:
        def encode(value: Any) -> bytes:
            raise KeyError(value)

        codecs = Codecs()
        codecs.add("application/x", encode, lambda octets, charset: octets)
        service = self.starts(codecs=codecs)
        self.fails(service.send(QUEUE, {}, content_type="application/x"), KeyError)
        self.fails(service.request(QUEUE, {}, content_type="application/x"), KeyError)
        self.assertTrue(service.connected)

    def test_octets_that_nobody_waits_for_are_bounded_too(self) -> None:
        self.broker.is_down = True
        service = self.starts(window_octets=1000)
        sending = [service.send(QUEUE, "x" * 1000) for _ in range(11)]
        self.failureResultOf(sending.pop(), LimitExceeded)
