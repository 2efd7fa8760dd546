"""Questions to others over a broker, and their answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, Message, ReplyTimeout, StompClient
from stomp_tx.errors import FrameError
from stomp_tx.testing import MemoryBroker, ScriptedBroker, Stuck


class RequestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.ann, self.bob = self.broker.client(), self.broker.client()
        self.asked: list[bytes] = []

    def answers(self, client: StompClient, destination: str = "/queue/sums", **more: Any) -> None:
        def add(message: Message) -> Any:
            self.asked.append(message.body)
            return sum(message.value())

        self.broker.run(client.respond(destination, add, **more))

    def test_a_question_and_its_answer(self) -> None:
        self.answers(self.bob)
        reply = self.broker.run(self.ann.request("/queue/sums", [1, 2, 3]))
        self.assertEqual(reply.value(), 6)
        self.assertEqual(reply.headers["content-type"], "application/json")

    def test_many_at_a_time_get_each_their_own(self) -> None:
        works: list[tuple[Message, Deferred[None]]] = []

        async def slowly(message: Message) -> str:
            works.append((message, Deferred()))
            await works[-1][1]
            return f"{message.text()}!"

        self.broker.run(self.bob.respond("/queue/a", slowly))
        asking = [self.ann.request("/queue/a", f"{number}") for number in range(5)]
        self.broker.settle()
        for _, work in reversed(works):
            work.callback(None)
        replies = self.broker.run(gatherResults(asking))
        self.assertEqual([reply.text() for reply in replies], ["0!", "1!", "2!", "3!", "4!"])

    def test_two_askers_and_one_who_answers_at_both_ends(self) -> None:
        self.answers(self.bob)
        self.answers(self.ann, "/queue/mine")
        self.assertEqual(self.broker.run(self.ann.request("/queue/sums", [1])).value(), 1)
        self.assertEqual(self.broker.run(self.bob.request("/queue/mine", [2])).value(), 2)
        self.assertEqual(self.broker.run(self.bob.request("/queue/sums", [3])).value(), 3)

    def test_nobody_answers(self) -> None:
        asking = self.ann.request("/queue/nobody", "?", timeout=5)
        self.broker.advance(4.9)
        self.assertNoResult(asking)
        self.broker.advance(0.2)
        self.assertIn("5 seconds", str(self.failureResultOf(asking, ReplyTimeout).value))
        self.answers(self.bob, "/queue/late")
        self.assertEqual(self.broker.run(self.ann.request("/queue/late", [1])).value(), 1)

    def test_the_connection_is_lost(self) -> None:
        asking = self.ann.request("/queue/nobody", "?", timeout=None)
        self.broker.settle()
        self.broker.cut()
        self.failureResultOf(asking, ConnectionLost)
        self.failureResultOf(self.ann.request("/queue/nobody", "?"), ConnectionLost)

    def test_who_gives_up(self) -> None:
        asking = self.ann.request("/queue/nobody", "?")
        self.broker.settle()
        asking.cancel()
        self.failureResultOf(asking, CancelledError)

    def test_a_question_that_can_t_be_sent(self) -> None:
        self.failureResultOf(self.ann.request("/queue/a", "?", headers={"receipt": "1"}), FrameError)

    def test_one_that_wants_no_answer(self) -> None:
        self.answers(self.bob)
        self.broker.run(self.ann.send("/queue/sums", [1]))
        self.broker.settle()
        self.assertEqual(self.asked, [b"[1]"])
        self.assertEqual(self.broker.waiting("/queue/sums"), [])

    def test_one_that_fails_is_refused_and_the_others_are_answered(self) -> None:
        self.broker = MemoryBroker(attempts=2)
        self.ann, self.bob = self.broker.client(), self.broker.client()
        self.answers(self.bob)
        wrong = self.ann.request("/queue/sums", "not a list of numbers", timeout=60)
        right = self.ann.request("/queue/sums", [1, 1])
        self.broker.settle()
        self.assertEqual(self.successResultOf(right).value(), 2)
        self.broker.advance(61)
        self.failureResultOf(wrong, ReplyTimeout)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)
        self.assertEqual(len(self.asked), 3)

    def test_who_asked_has_gone(self) -> None:
        work: Deferred[str] = Deferred()
        self.broker.run(self.bob.respond("/queue/a", lambda message: work))
        asking = self.ann.request("/queue/a", "?")
        self.broker.settle()
        self.broker.run(self.ann.disconnect())
        self.failureResultOf(asking, ConnectionLost)
        work.callback("too late")
        self.broker.settle()
        self.assertTrue(self.bob.connected)
        self.assertEqual(self.broker.waiting("/queue/a"), [])

    def test_a_service_asks_over_each_of_its_connections(self) -> None:
        service = self.broker.service()
        service.startService()
        self.broker.settle()
        other = MemoryBroker.client
        for _ in range(3):
            self.bob = other(self.broker)
            self.answers(self.bob)
            self.assertEqual(self.broker.run(service.request("/queue/sums", [1])).value(), 1)
            self.broker.cut()
            lost = service.request("/queue/sums", [1])  # waits for the next connection
            self.assertNoResult(lost)
            lost.cancel()
            self.failureResultOf(lost, CancelledError)

    def test_a_reply_to_that_the_broker_refuses_is_nothing_to_the_next_request(self) -> None:
        self.answers(self.bob)
        self.broker.run(self.ann.send("/queue/sums", [1], headers={"reply-to": "/topic/>"}, receipt=True))
        self.broker.settle()
        self.assertFalse(self.bob.connected)  # the broker's rule: an ERROR closes
        self.assertEqual(self.broker.waiting("/queue/sums"), [])
        carol = self.broker.client()
        self.answers(carol)
        self.assertEqual(self.broker.run(self.ann.request("/queue/sums", [1, 2])).value(), 3)
        self.broker.run(self.ann.send("/queue/sums", [1], headers={"reply-to": ""}, receipt=True))
        self.broker.settle()
        self.assertTrue(carol.connected)

    def test_no_connection_is_no_reason_to_wait_longer(self) -> None:
        self.broker.is_down = True
        service = self.broker.service()
        service.startService()
        asking = service.request("/queue/sums", [1], timeout=5)
        self.broker.advance(4.9)
        self.assertNoResult(asking)
        self.broker.advance(0.2)
        self.failureResultOf(asking, ReplyTimeout)
        self.broker.run(service.stopService())

    def test_a_name_of_the_users_is_no_name_of_ours(self) -> None:
        self.answers(self.bob)
        self.broker.run(self.ann.subscribe("/queue/b", id="1"))
        self.assertEqual(self.broker.run(self.ann.request("/queue/sums", [1, 2])).value(), 3)


class OtherBrokerTests(SynchronousTestCase):
    """What is said to those who are known to want it another way."""

    def asks(self, server: str) -> tuple[ScriptedBroker, Deferred[Message]]:
        broker = ScriptedBroker()
        connecting = broker.accepts(heart_beat_ms=(0, 0))
        broker.hears("CONNECT")
        broker.says("CONNECTED", version="1.2", server=server)
        client = self.successResultOf(connecting)
        return broker, client.request("/queue/a", "?")

    def test_rabbitmq_subscribes_by_itself(self) -> None:
        broker, asking = self.asks("RabbitMQ/3.10.8")
        send = broker.hears("SEND")
        self.assertEqual(send.headers["reply-to"], "/temp-queue/replies")
        broker.message("/temp-queue/replies", b"yes", correlation_id=send.headers["correlation-id"])
        self.assertEqual(self.successResultOf(asking).body, b"yes")

    def test_artemis_has_no_temporary_queues_by_name(self) -> None:
        broker, asking = self.asks("ActiveMQ-Artemis/2.30.0 ActiveMQ Artemis Messaging Engine")
        subscribe, send = broker.hears("SUBSCRIBE"), broker.hears("SEND")
        self.assertEqual(send.headers["reply-to"], subscribe.headers["destination"])
        self.assertNotIn("temp-queue", send.headers["reply-to"])
        broker.message(subscribe.headers["id"], b"yes", correlation_id=send.headers["correlation-id"])
        self.assertEqual(self.successResultOf(asking).body, b"yes")

    def test_activemq_is_asked_to(self) -> None:
        broker, asking = self.asks("ActiveMQ/5.17.2")
        subscribe, send = broker.hears("SUBSCRIBE"), broker.hears("SEND")
        self.assertEqual(subscribe.headers["destination"], "/temp-queue/replies")
        broker.message(subscribe.headers["id"], b"no", correlation_id="somebody else's")
        self.assertNoResult(asking)
        broker.message(subscribe.headers["id"], b"yes", correlation_id=send.headers["correlation-id"])
        self.assertEqual(self.successResultOf(asking).body, b"yes")

    def test_what_is_run_in_vain_is_said(self) -> None:
        with self.assertRaises(Stuck):
            MemoryBroker().run(Deferred(), within=10)
