"""client/operations.py: headers as programs have them; wrong arguments are told, and end no connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import StompClient, StompClientService, StompError
from stomp_tx.errors import FrameError
from stomp_tx.testing import MemoryBroker
from tests.client.wiring import World

MORE: Any = {"priority": 9, "flag": True, "none": None}
TEXT = {"priority": "9", "flag": "true"}
WRONG: Any = {"good": "1", "bad": 0.5}


class HeaderTests(SynchronousTestCase):
    """int and bool are sent as text by everything that takes headers; anything else is named."""

    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.client: StompClient | StompClientService = self.broker.client()

    def got(self, deferred: Deferred[Any]) -> Any:
        self.broker.settle()
        return self.successResultOf(deferred)

    def arrived(self) -> dict[str, str]:
        """Of MORE what the next message in the queue has."""
        client = self.broker.client()
        taken = self.got(self.got(client.subscribe("/queue/a")).next())
        self.got(client.disconnect())
        return {name: taken.headers[name] for name in MORE if name in taken.headers}

    def is_refused(self, deferred: Deferred[Any]) -> None:
        self.broker.settle()
        error = self.failureResultOf(deferred, FrameError).value
        self.assertEqual(str(error), "the header 'bad' can't be sent: its value is of type float")
        self.assertTrue(self.client.connected)

    def test_send(self) -> None:
        self.got(self.client.send("/queue/a", "x", headers=MORE))
        self.assertEqual(self.arrived(), TEXT)
        self.is_refused(self.client.send("/queue/a", "x", headers=WRONG))

    def test_send_of_a_service(self) -> None:
        self.client = service = self.broker.service()
        sending = service.send("/queue/a", "x", headers=MORE, receipt=True)
        self.failureResultOf(service.send("/queue/a", "x", headers=WRONG), FrameError)  # at once
        service.startService()
        self.got(sending)
        self.assertEqual(self.arrived(), TEXT)

    def test_transactions(self) -> None:
        self.client = service = self.broker.service()
        service.startService()
        for transaction in (self.got(service.transaction().begin()), service.replayed_transaction()):
            self.got(transaction.send("/queue/a", "x", headers=MORE))
            self.is_refused(transaction.send("/queue/a", "x", headers=WRONG))
            self.got(transaction.commit())
            self.assertEqual(self.arrived(), TEXT)

    def test_subscribe_and_unsubscribe(self) -> None:
        self.client.send("/queue/a", "1", headers={"n": 1})
        self.client.send("/queue/a", "2", headers={"n": 2})
        subscription = self.got(self.client.subscribe("/queue/a", headers={"exclusive": True, "x": 1}))
        self.assertEqual(self.got(subscription.next()).text(), "1")
        self.is_refused(self.client.subscribe("/queue/b", headers=WRONG))
        self.is_refused(self.client.unsubscribe(subscription, headers=WRONG))
        self.got(self.client.unsubscribe(subscription, headers=MORE))

    def test_ack_and_nack(self) -> None:
        for number in range(2):
            self.client.send("/queue/a", f"{number}")
        inbox = self.got(self.client.subscribe("/queue/a", ack="client-individual"))
        for say in (self.client.ack, self.client.nack):
            message = self.got(inbox.next())
            self.is_refused(say(message, headers=WRONG))
            self.got(say(message, headers=MORE, receipt=True))

    def test_request_and_respond(self) -> None:
        heard = []

        def respond(message: Any) -> str:
            heard.append({name: message.headers[name] for name in TEXT})
            return "yes"

        self.got(self.client.respond("/queue/a", respond, headers=MORE))
        self.assertEqual(self.got(self.client.request("/queue/a", "x", headers=MORE)).text(), "yes")
        self.assertEqual(heard, [TEXT])
        self.is_refused(self.client.request("/queue/a", "x", headers=WRONG))
        self.is_refused(self.client.respond("/queue/b", respond, headers=WRONG))

    def test_what_subscribe_has_an_argument_for_is_not_among_them(self) -> None:
        for name in ("ack", "destination", "id", "receipt"):
            subscribing = self.client.subscribe("/queue/a", headers={name: "client"})
            error = self.failureResultOf(subscribing, FrameError).value
            self.assertEqual(str(error), f"{name} is not among headers: subscribe() has an argument for it")


class ArgumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.client: Any = self.world.connect()

    def says(self, deferred: Deferred[Any], words: str) -> None:
        """It fails with that, and the connection is as it was."""
        self.world.runs()
        error = self.failureResultOf(deferred, StompError, TypeError, ValueError).value
        self.assertIn(words, str(error))
        self.assertTrue(self.client.connected)

    def test_destinations(self) -> None:
        for wrong in (None, "", 5, b"/queue/a", ["/queue/a"]):
            said = f"a destination is a name such as /queue/a, not {wrong!r}"
            self.says(self.client.send(wrong, "x"), said)
            self.says(self.client.subscribe(wrong), said)
            self.says(self.client.request(wrong, "x"), said)
            self.says(self.client.respond(wrong, print), said)
        self.world.runs()

    def test_of_send(self) -> None:
        for wrong in (5, []):
            self.says(self.client.send("/queue/a", "x", content_type=wrong), "content_type is text, not")
            self.says(self.client.send("/queue/a", {}, content_type=wrong), "content_type is text, not")
        self.says(
            self.client.send("/queue/a", {}, content_type="text/plain"), "text/* is for text, not for dict"
        )
        for headers in ({"colour": "red\0"}, {"red\0": "colour"}):
            self.says(self.client.send("/queue/a", "x", headers=headers), "can't be sent: NUL ends a frame")
            self.says(self.client.subscribe("/queue/a", headers=headers), "can't be sent: NUL ends a frame")
        for wrong in ("tx-1", 5):
            said = f"transaction= is what client.transaction() gave, not {wrong!r}"
            self.says(self.client.send("/queue/a", "x", transaction=wrong), said)

    def test_of_subscribe(self) -> None:
        for wrong, said in (
            ({"handler": "client"}, "a handler is called with each message, and 'client' can't be"),
            ({"id": 5}, "id is text, not 5"),
            ({"durable": 5}, "durable is text, not 5"),
            ({"ack": "cleint"}, "ack is auto, client or client-individual, not 'cleint'"),
            ({"prefetch": "10"}, "prefetch is a whole number, not '10'"),
            ({"prefetch": 1.5}, "prefetch is a whole number, not 1.5"),
            ({"prefetch": -1}, "prefetch is at least 0, not -1"),
            ({"concurrency": "2"}, "concurrency is a whole number, not '2'"),
            ({"concurrency": 0}, "concurrency is at least 1, not 0"),
        ):
            self.says(self.client.subscribe("/queue/a", **wrong), said)

    def test_ids_are_not_what_is_acknowledged(self) -> None:
        self.says(self.client.ack("7"), "ack() takes the Message that has come, not '7'")
        self.says(self.client.nack("7"), "nack() takes the Message that has come, not '7'")
        self.says(self.client.unsubscribe("7"), "unsubscribe() takes the Subscription that subscribe() gave")
        transaction = self.successResultOf(self.client.transaction().begin())
        self.says(transaction.ack("7"), "ack() takes the Message that has come, not '7'")
        self.says(transaction.nack("7"), "nack() takes the Message that has come, not '7'")

    def test_an_acknowledgement_in_what_is_no_transaction(self) -> None:
        got: list[Any] = []
        self.client.subscribe("/queue/a", got.append, ack="client-individual")
        self.client.send("/queue/a", "x")
        self.world.runs()
        self.says(got[0].ack(transaction="tx-1"), "transaction= is what client.transaction() gave")
        self.successResultOf(got[0].ack())

    def test_of_request_and_respond(self) -> None:
        for wrong in ("5", True, float("nan"), float("inf")):
            self.says(
                self.client.request("/queue/a", "x", timeout=wrong), "timeout is a number of seconds, or None"
            )
        self.says(self.client.respond("/queue/a", None), "a responder is called with each request")
