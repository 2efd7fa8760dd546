"""What roles let users do: every operation on every kind of destination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.realm import StompRealm
from stomp_tx.broker.events import Denied
from stomp_tx.broker.policy import Policies, Policy
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Broker, Client

USERS = ("root", "ann", "bob", "eve")


def portal(access: AccessList) -> Portal:
    """The passcode of each user is their name; others come in, too."""
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    for name in USERS:
        checker.addUser(name.encode(), name.encode())
    return portal_of(StompRealm(access), [checker, AllowAnonymousAccess()])


def guarded(access: AccessList, **settings: object) -> Broker:
    return Broker(factory={"portal": portal(access)}, **settings)


def enters(broker: Broker, name: str, **headers: str) -> Client:
    return broker.connect(login=name, passcode=name, **headers)


OPERATIONS: dict[str, tuple[Callable[[Client], None], set[str]]] = {
    "send to a queue": (lambda c: c.says("SEND", destination="/queue/there"), {"send /queue/there"}),
    "send to a queue that is not there": (
        lambda c: c.says("SEND", destination="/queue/new"),
        {"send /queue/new", "create /queue/new"},
    ),
    "send persistently": (
        lambda c: c.says("SEND", destination="/queue/there", persistent="true"),
        {"send /queue/there"},
    ),
    "send in a transaction": (
        lambda c: (
            c.says("BEGIN", transaction="t"),
            c.says("SEND", destination="/queue/there", transaction="t"),
        )[0],
        {"send /queue/there"},
    ),
    "send later": (
        lambda c: c.says("SEND", destination="/queue/there", delay="1000"),
        {"send /queue/there"},
    ),
    "send to a topic": (lambda c: c.says("SEND", destination="/topic/t"), {"send /topic/t"}),
    "send by another name": (lambda c: c.says("SEND", destination="/amq/queue/there"), {"send /queue/there"}),
    "send without a prefix": (lambda c: c.says("SEND", destination="there"), {"send /queue/there"}),
    "send with a type": (
        lambda c: c.says("SEND", {"destination": "t", "destination-type": "MULTICAST"}),
        {"send /topic/t"},
    ),
    "send to several": (
        lambda c: c.says("SEND", destination="/queue/there,/topic/t"),
        {"send /queue/there", "send /topic/t"},
    ),
    "send to somebody's durable subscription": (
        lambda c: c.says("SEND", destination="/topic/bound::kept"),
        {"send /topic/bound"},
    ),
    "look after scheduled messages": (
        lambda c: c.says(
            "SEND", {"destination": "ActiveMQ.Scheduler.Management", "AMQ_SCHEDULER_ACTION": "REMOVEALL"}
        ),
        {"manage /queue/ActiveMQ.Scheduler.Management"},
    ),
    "subscribe to a queue": (lambda c: c.subscribes("/queue/there"), {"subscribe /queue/there"}),
    "subscribe to a queue that is not there": (
        lambda c: c.subscribes("/queue/new"),
        {"subscribe /queue/new", "create /queue/new"},
    ),
    "subscribe to a topic": (lambda c: c.subscribes("/topic/t"), {"subscribe /topic/t"}),
    "subscribe to several": (
        lambda c: c.subscribes("/queue/there,/topic/t"),
        {"subscribe /queue/there", "subscribe /topic/t"},
    ),
    "subscribe to a pattern of topics": (lambda c: c.subscribes("/topic/t.>"), {"subscribe /topic/t.>"}),
    "subscribe to a pattern of queues": (lambda c: c.subscribes("/queue/t.*"), {"subscribe /queue/t.*"}),
    "subscribe durably": (
        lambda c: c.subscribes("/topic/t", durable_subscription="d"),
        {"subscribe /topic/t", "create /topic/t"},
    ),
    "go on with a durable subscription": (
        lambda c: c.subscribes("/topic/bound::kept"),
        {"subscribe /topic/bound"},
    ),
    "end a durable subscription": (
        lambda c: (
            c.subscribes("/topic/t", durable_subscription="d"),
            c.says("UNSUBSCRIBE", {"durable-subscription": "d"}),
        )[0],
        {"subscribe /topic/t", "create /topic/t"},
    ),
    "end one that all share": (
        lambda c: c.says(
            "UNSUBSCRIBE",
            {"id": "1", "destination": "/topic/bound", "durable": "true", "x-queue-name": "kept"},
        ),
        {"subscribe /topic/bound", "manage /topic/bound"},
    ),
    "share a subscription": (
        lambda c: c.subscribes("/topic/t", shared_subscription="s"),
        {"subscribe /topic/t"},
    ),
    "consume from a virtual topic": (
        lambda c: c.subscribes("/queue/Consumer.A.VirtualTopic.V"),
        {
            "subscribe /queue/Consumer.A.VirtualTopic.V",
            "create /queue/Consumer.A.VirtualTopic.V",
            "subscribe /topic/VirtualTopic.V",
        },
    ),
    "consume from a virtual topic and another queue": (
        lambda c: c.subscribes("/queue/there,Consumer.A.VirtualTopic.V"),
        {
            "subscribe /queue/there",
            "subscribe /queue/Consumer.A.VirtualTopic.V",
            "create /queue/Consumer.A.VirtualTopic.V",
            "subscribe /topic/VirtualTopic.V",
        },
    ),
    "browse": (lambda c: c.subscribes("/queue/there", browser="true"), {"browse /queue/there"}),
    "browse what waits for a durable subscription": (
        lambda c: c.subscribes("/topic/bound::kept", browser="true"),
        {"browse /topic/bound"},
    ),
    "browse what a virtual topic fills, or will": (
        lambda c: c.subscribes("/queue/Consumer.A.VirtualTopic.V", browser="true"),
        {"browse /queue/Consumer.A.VirtualTopic.V", "browse /topic/VirtualTopic.V"},
    ),
    "have a temporary queue": (lambda c: c.subscribes("/temp-queue/mine"), set()),
    "send to one's own": (lambda c: c.says("SEND", destination="/temp-queue/mine"), set()),
}
"""What somebody does, and the permissions that it takes."""


def try_it(operation: str, permissions: set[str]) -> Client:
    """Ann, who has these permissions, after she has done it."""
    access = AccessList(
        (
            Role("root", users=("root",), allow=("all >",)),
            Role("ann", users=("ann",), allow=tuple(permissions) or ("send /queue/nothing",)),
        )
    )
    broker = guarded(access)
    root = enters(broker, "root")
    root.says("SEND", destination="/queue/there")
    root.subscribes("/topic/bound::kept")
    root.says("DISCONNECT")
    ann = enters(broker, "ann")
    OPERATIONS[operation][0](ann)
    ann.says("SEND", destination="/temp-queue/alive", receipt="alive")
    return ann


@pytest.mark.parametrize("operation", OPERATIONS)
def test_with_its_permissions_it_is_done(operation: str) -> None:
    heard = try_it(operation, OPERATIONS[operation][1]).everything()
    assert [frame.command for frame in heard][-1] == "RECEIPT", heard


@pytest.mark.parametrize(
    ("operation", "missing"),
    [(operation, one) for operation, (_, needed) in OPERATIONS.items() for one in sorted(needed)],
)
def test_without_any_one_of_them_it_is_denied(operation: str, missing: str) -> None:
    """The ERROR names the permission and the destination, and the connection closes."""
    permission, destination = missing.split()
    error = try_it(operation, OPERATIONS[operation][1] - {missing}).fails("access denied")
    assert f"ann may not {permission}".encode() in error.body
    assert destination.encode() in error.body
    assert f"the permission '{permission}'".encode() in error.body


class AccessTests(SynchronousTestCase):
    def test_a_queue_with_a_policy_of_its_own_is_there(self) -> None:
        access = AccessList((Role("ann", users=("ann",), allow=("send /queue/>", "subscribe /queue/>")),))
        broker = guarded(access, patterns={"/queue/made": Policy()})
        ann = enters(broker, "ann")
        ann.subscribes("/queue/made")
        self.assertTrue(ann.hears_nothing())

    def test_denials_are_events(self) -> None:
        broker = guarded(AccessList((Role("nobody"),)))
        seen: list[Denied] = []
        broker.factory.events.observe(Denied, seen.append)
        ann = enters(broker, "ann")
        ann.subscribes("/queue/a")
        ann.fails("access denied")
        self.assertEqual(
            [(one.user, one.permission, one.destination) for one in seen], [("ann", "subscribe", "/queue/a")]
        )

    def test_another_connections_temporary_queue_can_be_answered_and_not_read(self) -> None:
        broker = guarded(AccessList((Role("all", users=("*",), allow=("all /queue/a",)),)))
        ann, bob, eve = (enters(broker, name) for name in ("ann", "bob", "eve"))
        ann.subscribes("/temp-queue/mine")
        bob.subscribes("/queue/a")
        ann.says("SEND", {"destination": "/queue/a", "reply-to": "/temp-queue/mine"})
        name = bob.hears("MESSAGE").headers["reply-to"]
        eve.subscribes(name)
        eve.fails("access denied")
        bob.says("SEND", destination=name, body=b"answer")
        self.assertEqual(ann.hears("MESSAGE").body, b"answer")

    def test_each_session_asks_once(self) -> None:
        asked = []

        class Counting(AccessList):
            def may(self, *what: object) -> bool:
                asked.append(what)
                return True

        ann = enters(guarded(Counting()), "ann")
        for _ in range(100):
            ann.says("SEND", destination="/queue/a")
        self.assertEqual(len(asked), 2)  # send, create


class PatternTests(SynchronousTestCase):
    """A pattern of queues finds none that topics fill which its user may not read."""

    SECRET = "/queue/Consumer.A.VirtualTopic.secret"
    OPEN = "/queue/Consumer.A.VirtualTopic.open"

    def setUp(self) -> None:
        self.access = AccessList(
            (
                Role("root", users=("root",), allow=("all >",)),
                Role("bob", users=("bob",), allow=("all /queue/>", "subscribe /topic/VirtualTopic.open")),
            )
        )
        self.broker = guarded(self.access)
        self.root = enters(self.broker, "root")

    def bind(self, *queues: str) -> None:
        for queue in queues:
            self.root.subscribes(queue, id=queue)
            self.root.says("UNSUBSCRIBE", id=queue)

    def publish(self) -> None:
        for name in ("open", "secret"):
            self.root.says("SEND", destination=f"/topic/VirtualTopic.{name}", body=name.encode())
        self.broker.clock.advance(0)

    def bob(self, pattern: str) -> Client:
        bob = enters(self.broker, "bob")
        bob.subscribes(pattern, receipt="r")
        bob.hears("RECEIPT")
        return bob

    def test_it_gets_what_may_be_read_of_those_that_are_there(self) -> None:
        for pattern in ("/queue/>", "/queue/Consumer.A.VirtualTopic.*", "/queue/a,/queue/Consumer.*.>"):
            self.setUp()
            self.bind(self.SECRET, self.OPEN)
            bob = self.bob(pattern)
            self.publish()
            self.assertEqual(bob.hears_bodies(), [b"open"], pattern)
            self.root.subscribes(self.SECRET)
            self.assertEqual(self.root.hears_bodies(), [b"secret"])

    def test_and_of_those_that_come_to_be(self) -> None:
        bob = self.bob("/queue/>")
        self.bind(self.SECRET, self.OPEN)
        self.publish()
        self.assertEqual(bob.hears_bodies(), [b"open"])

    def test_one_that_is_bound_later_is_passed_by_before(self) -> None:
        bob = self.bob("/queue/>")
        self.root.says("SEND", destination=self.SECRET, body=b"1")
        self.broker.clock.advance(0)
        self.bind(self.SECRET)
        self.publish()
        self.assertTrue(bob.hears_nothing())

    def test_what_is_revoked_ends_it(self) -> None:
        self.bind(self.OPEN)
        bob = self.bob("/queue/>")
        self.publish()
        self.assertEqual(bob.hears_bodies(), [b"open"])
        self.access.become(AccessList((Role("bob", users=("bob", "root"), allow=("all /queue/>",)),)))
        self.broker.factory.access_changed()
        self.assertIn(b"/topic/VirtualTopic.open", bob.fails("access denied").body)

    def test_without_roles_it_gets_all(self) -> None:
        self.broker = guarded(AccessList())
        self.root = enters(self.broker, "root")
        self.bind(self.SECRET)
        bob = self.bob("/queue/>")
        self.publish()
        self.assertEqual(bob.hears_bodies(), [b"secret"])


class Owners(InMemory, SynchronousTestCase):
    """A durable subscription is its user's, whatever client-id and id others choose."""

    DURABLE: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({"client-id": "c"}, {"activemq.subscriptionName": "d"}),
        ({"client-id": "c"}, {"durable-subscription-name": "d"}),
        ({"client-id": "c"}, {"durable-subscription": "d"}),
        ({}, {"durable-subscription": "d"}),
        ({}, {"durable": "true"}),
    )

    def setUp(self) -> None:
        allow = ("subscribe,create,send /topic/t",)
        self.access = AccessList((Role("r", users=("ann", "bob", "anonymous"), allow=allow),))
        self.broker: Any = self.make_broker(factory={"portal": portal(self.access)})

    def subscribes(self, name: str, connect: dict[str, str], headers: dict[str, str]) -> Client:
        client = enters(self.broker, name, **connect)
        client.subscribes("/topic/t", receipt="r", **headers)
        client.hears("RECEIPT")
        return client

    def leaves_one(self, connect: dict[str, str], headers: dict[str, str]) -> None:
        """Ann's, with a message that waits."""
        self.subscribes("ann", connect, headers).hangs_up()
        root = enters(self.broker, "ann")
        root.says("SEND", destination="/topic/t", body=b"1", persistent="true", receipt="r")
        root.hears("RECEIPT")

    def test_another_user_gets_none_of_it_and_does_not_end_it(self) -> None:
        for connect, headers in self.DURABLE:
            self.setUp()
            self.leaves_one(connect, headers)
            bob = enters(self.broker, "bob", **connect)
            bob.says("UNSUBSCRIBE", id="1", destination="/topic/t", **headers)
            bob.fails("no such durable subscription")
            bob = self.subscribes("bob", connect, headers)
            self.assertTrue(bob.hears_nothing())
            bob.says("UNSUBSCRIBE", id="1", destination="/topic/t", receipt="r", **headers)
            bob.hears("RECEIPT")
            self.assertEqual(self.subscribes("ann", connect, headers).hears_bodies(), [b"1"], headers)

    def test_nor_does_who_has_not_said_who_they_are(self) -> None:
        for connect, headers in self.DURABLE:
            self.setUp()
            self.leaves_one(connect, headers)
            guest = self.broker.connect(**connect)
            guest.subscribes("/topic/t", **headers)
            self.assertTrue(guest.hears_nothing())

    def test_one_by_the_name_of_a_queue_is_for_all_who_may_subscribe(self) -> None:
        for destination, headers in (
            ("/topic/t::q", {}),
            ("/topic/t", {"durable": "true", "x-queue-name": "q"}),
        ):
            self.setUp()
            ann, bob = enters(self.broker, "ann"), enters(self.broker, "bob")
            for client in (ann, bob):
                client.subscribes(destination, receipt="r", **headers)
                client.hears("RECEIPT")
            for body in (b"1", b"2"):
                ann.says("SEND", destination="/topic/t", body=body)
            self.assertEqual((ann.hears_bodies(), bob.hears_bodies()), ([b"1"], [b"2"]))


class OwnersOnFile(OnFile, Owners):
    def test_it_stays_so_when_the_broker_starts_again(self) -> None:
        connect, headers = self.DURABLE[0]
        self.leaves_one(connect, headers)
        self.broker = self.restart(self.broker)
        self.assertTrue(self.subscribes("bob", connect, headers).hears_nothing())
        self.assertEqual(self.subscribes("ann", connect, headers).hears_bodies(), [b"1"])


class ChangeTests(SynchronousTestCase):
    """What is revoked ends what it covered."""

    def setUp(self) -> None:
        self.access = AccessList((Role("r", users=("ann", "bob"), allow=("all >",)),))
        self.broker = guarded(self.access)

    def become(self, *allow: str) -> None:
        self.access.become(AccessList((Role("r", users=("ann", "bob"), allow=allow),)))
        self.broker.factory.change_policies(Policies())

    def test_subscriptions_that_are_not_allowed_any_more(self) -> None:
        for destination, headers, still in (
            ("/queue/a", {}, "subscribe /queue/b"),
            ("/topic/a.>", {}, "subscribe /topic/a.b"),
            ("/queue/a,/topic/b", {}, "subscribe /queue/a"),
            ("/queue/a", {"browser": "true"}, "subscribe /queue/a"),
            ("/topic/d", {"durable_subscription": "d"}, "create /topic/d"),
            ("/topic/d", {"shared_subscription": "d"}, "send /topic/d"),
        ):
            self.setUp()
            ann, bob = enters(self.broker, "ann"), enters(self.broker, "bob")
            ann.subscribes(destination, **headers)
            ann.everything()
            self.become(still)
            ann.fails("access denied")
            self.assertFalse(bob.is_closed)

    def test_those_that_are_go_on(self) -> None:
        ann = enters(self.broker, "ann")
        ann.subscribes("/queue/a")
        ann.says("SEND", destination="/queue/a", body=b"1")
        self.become("send /queue/a", "subscribe /queue/>")
        ann.says("SEND", destination="/queue/a", body=b"2")
        self.assertEqual(ann.hears_bodies(), [b"1", b"2"])

    def test_sending_is_asked_for_anew(self) -> None:
        ann = enters(self.broker, "ann")
        ann.says("SEND", destination="/queue/a", receipt="1")
        ann.hears("RECEIPT")
        self.become("subscribe >")
        ann.says("SEND", destination="/queue/a", receipt="2")
        ann.fails("access denied")


class TransactionTests(SynchronousTestCase):
    """COMMIT asks again, if who may do what has changed since SEND."""

    HEADERS = ({}, {"persistent": "true"}, {"priority": "7"}, {"delay": "1000"})

    def setUp(self) -> None:
        self.access = AccessList((Role("ann", users=("ann",), allow=("all >",)),))
        self.broker = guarded(self.access)
        self.ann = enters(self.broker, "ann")

    def begin(self, *destinations: str, **headers: str) -> None:
        self.ann.says("BEGIN", transaction="t")
        for destination in destinations:
            self.ann.says("SEND", {"destination": destination, "transaction": "t", **headers})

    def become(self, *allow: str) -> None:
        self.access.become(AccessList((Role("ann", users=("ann",), allow=allow),)))
        self.broker.factory.access_changed()

    def commit(self) -> None:
        self.ann.says("COMMIT", transaction="t", receipt="r")

    def test_what_may_not_be_sent_any_more_is_not(self) -> None:
        for headers in self.HEADERS:
            for destinations, denied in (
                (("/queue/a",), "/queue/a"),
                (("/topic/t", "/queue/a"), "/queue/a"),
                (("/queue/b,/queue/a",), "/queue/a"),
            ):
                self.setUp()
                self.begin(*destinations, **headers)
                self.become("send /queue/b", "create /queue/>", "send /topic/>", "subscribe >")
                self.commit()
                error = self.ann.fails("access denied")
                self.assertEqual(error.headers["receipt-id"], "r")
                self.assertIn(f"ann may not send to {denied}".encode(), error.body)
                self.assertEqual(list(self.broker.engine.queues()), [], headers)

    def test_nor_is_a_queue_made_that_may_not_be(self) -> None:
        self.begin("/queue/a")
        self.become("send /queue/a")
        self.commit()
        self.assertIn(b"ann may not create /queue/a", self.ann.fails("access denied").body)

    def test_what_it_took_goes_back(self) -> None:
        self.ann.says("SEND", destination="/queue/work", body=b"1")
        self.ann.subscribes("/queue/work", ack="client-individual")
        message = self.ann.hears("MESSAGE")
        self.begin("/queue/a")
        self.ann.acks(message, transaction="t")
        self.become("subscribe,send,create /queue/work")
        self.commit()
        self.assertEqual(self.ann.everything()[-1].headers["message"], "access denied")
        ann = enters(self.broker, "ann")
        ann.subscribes("/queue/work")
        self.assertEqual(ann.hears_bodies(), [b"1"])

    def test_what_may_be_sent_still_is(self) -> None:
        for headers in (*self.HEADERS, {"retain": "set"}):
            self.setUp()
            destination = "/topic/a" if headers.get("retain") else "/queue/a,/topic/a"
            self.begin(destination, "/temp-queue/mine", **headers if "delay" not in headers else {})
            self.become("send,create /queue/a", "send /topic/a")
            self.commit()
            self.assertEqual(self.ann.hears("RECEIPT").headers["receipt-id"], "r", headers)

    def test_where_nothing_has_changed_nobody_is_asked(self) -> None:
        self.begin("/queue/a")
        self.access.become(AccessList(closed=True))  # and nobody was told
        self.commit()
        self.ann.hears("RECEIPT")


class SchedulerTests(SynchronousTestCase):
    """Who manages scheduled messages does so where they have the permission, and sends where they may."""

    def setUp(self) -> None:
        access = AccessList(
            (
                Role("root", users=("root",), allow=("all >",)),
                Role(
                    "bob",
                    users=("bob",),
                    allow=("all /queue/>", "send /topic/out"),
                    deny=("send /queue/audit", "manage /queue/private"),
                ),
            )
        )
        self.broker = guarded(access)
        self.broker.factory.doStart()
        self.addCleanup(self.broker.factory.doStop)
        self.root, self.bob = enters(self.broker, "root"), enters(self.broker, "bob")
        for name in ("/queue/open", "/queue/private", "/topic/secret", "/queue/open,/topic/secret"):
            headers = {"delay": "1000", "scheduledJobId": name}
            self.root.says("SEND", {"destination": name, **headers}, body=name.encode())
        for number, name in enumerate(("/queue/audit", "/queue/private", "/topic/secret", "/topic/out")):
            self.root.subscribes(name, id=str(number))

    def manages(self, action: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.bob.says(
            "SEND",
            {"destination": "ActiveMQ.Scheduler.Management", "AMQ_SCHEDULER_ACTION": action, **named},
            receipt="r",
        )

    def test_what_is_found_goes_only_where_they_may_send(self) -> None:
        self.manages("BROWSE", reply_to="/queue/audit")
        self.assertIn(b"bob may not send to /queue/audit", self.bob.fails("access denied").body)
        self.assertTrue(self.root.hears_nothing())

    def test_by_whatever_name(self) -> None:
        for name in ("/amq/queue/audit", "audit", "/queue/open,/queue/audit", "/queue/*"):
            self.bob = enters(self.broker, "bob")
            self.manages("BROWSE", reply_to=name)
            self.assertEqual(self.bob.everything()[-1].command, "ERROR", name)
        self.assertTrue(self.root.hears_nothing())

    def test_only_what_they_may_manage_is_found(self) -> None:
        self.bob.subscribes("/temp-queue/found", id="f")
        for name in ("/temp-queue/found", "/topic/out"):
            self.manages("BROWSE", reply_to=name)
        heard = [frame.body for frame in self.bob.everything() if frame.command != "RECEIPT"]
        self.assertEqual(heard, [b"/queue/open"])
        self.assertEqual(self.root.hears_bodies(), [b"/queue/open"])

    def test_or_taken_out(self) -> None:
        self.manages("REMOVEALL")
        self.manages("REMOVE", scheduledJobId="/topic/secret")
        self.broker.clock.pump([0.1] * 20)
        kept = [b"/queue/private", b"/topic/secret", b"/queue/open,/topic/secret"]
        self.assertEqual(sorted(self.root.hears_bodies()), sorted(kept))
        self.root.subscribes("/queue/open", id="o")
        self.assertEqual(self.root.hears_bodies(), [b"/queue/open,/topic/secret"])

    def test_a_temporary_queue_that_is_no_more_gets_nothing(self) -> None:
        ann = enters(self.broker, "root")
        ann.says("SEND", {"destination": "/topic/out", "reply-to": "/temp-queue/mine"})
        name = self.root.hears("MESSAGE").headers["reply-to"]
        ann.hangs_up()
        self.manages("BROWSE", reply_to=name)
        self.assertEqual(self.bob.everything()[-1].command, "RECEIPT")
        self.assertEqual([one for one in self.broker.engine.queues() if "temp" in one], [])


class UserIdTests(SynchronousTestCase):
    def messages(self, **headers: str) -> dict[str, str]:
        broker = guarded(AccessList(), user_id=True)
        ann, bob = enters(broker, "ann"), enters(broker, "bob")
        bob.subscribes("/queue/a")
        bob.subscribes("/topic/a", id="2")
        forged = {"user-id": "root", "JMSXUserID": "root"}
        ann.says("SEND", {**forged, "destination": "/queue/a", **headers})
        if "transaction" in headers:
            ann.says("COMMIT", transaction="t")
        broker.factory.doStart()
        broker.clock.pump([0.1] * 20)
        broker.factory.doStop()
        return bob.hears("MESSAGE").headers

    def test_the_broker_says_who_has_sent_it(self) -> None:
        for headers in ({}, {"persistent": "true"}, {"priority": "7"}, {"delay": "1000"}):
            heard = self.messages(**headers)
            self.assertEqual((heard["user-id"], heard["JMSXUserID"]), ("ann", "ann"), headers)

    def test_in_a_transaction_and_in_copies(self) -> None:
        for destination, headers in (
            ("/queue/a,/queue/b", {}),
            ("/topic/a", {"retain": "set"}),
            ("/queue/a", {"transaction": "t"}),
            ("/queue/a,/topic/b", {"transaction": "t"}),
        ):
            broker = guarded(AccessList(), user_id=True)
            ann, bob = enters(broker, "ann"), enters(broker, "bob")
            bob.subscribes(destination.partition(",")[0])
            if headers.get("transaction"):
                ann.says("BEGIN", transaction="t")
            ann.says("SEND", {"destination": destination, "user-id": "root", **headers})
            if headers.get("transaction"):
                ann.says("COMMIT", transaction="t")
            heard = bob.hears("MESSAGE").headers
            self.assertEqual((heard["user-id"], heard["JMSXUserID"]), ("ann", "ann"), (destination, headers))

    def test_when_it_is_off_headers_are_as_they_were_sent(self) -> None:
        broker = Broker()
        ann = broker.connect()
        ann.subscribes("/queue/a")
        ann.says("SEND", {"destination": "/queue/a", "user-id": "me"})
        heard = ann.hears("MESSAGE").headers
        self.assertEqual((heard["user-id"], "JMSXUserID" in heard), ("me", False))
