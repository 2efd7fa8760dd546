"""Hostile conversations: whatever one client sends, it harms nobody else and leaves nothing behind.

``CORPUS`` holds what was once found to break something, in this or another broker: each runs every time.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.wire.commands import CLIENT_COMMANDS, SERVER_COMMANDS
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client

CONNECT = b"CONNECT\naccept-version:1.2\nhost:x\n\n\0"
CORPUS = [
    b"",
    b"\n" * 1000,
    b"\0" * 1000,
    b"\r" * 1000,
    b"SEND\n\nbody\0",
    b"SEND\ndestination:/queue/a\ncontent-length:-1\n\nx\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:bogus\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:\n\n\0",
    b"SUBSCRIBE\nid:\ndestination:/queue/a\n\n\0UNSUBSCRIBE\nid:\n\n\0",
    b"ACK\nid:1-1\n\n\0",
    b"ACK\nid:" + b"9" * 60_000 + b"-1\n\n\0",
    b"ACK\nid:-\n\n\0",
    b"NACK\nid:\xc2\xb2-1\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/shared\nack:client\n\n\0ACK\nid:1-1\n\n\0ACK\nid:1-1\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/shared\nack:client\n\n\0UNSUBSCRIBE\nid:1\n\n\0ACK\nid:1-1\n\n\0",
    b"BEGIN\ntransaction:t\n\n\0" * 2,
    b"BEGIN\ntransaction:t\n\n\0COMMIT\ntransaction:t\n\n\0ABORT\ntransaction:t\n\n\0",
    b"COMMIT\n\n\0",
    b"DISCONNECT\nreceipt:1\n\n\0SEND\ndestination:/queue/a\n\nx\0",
    b"CONNECT\n\n\0",
    b"CONNECT\naccept-version:9\nreceipt:a\\b\n\n\0",
    b"CONNECT\naccept-version:1.2\nheart-beat:99999999999,1\n\n\0",
    b"CONNECTED\nversion:1.2\n\n\0",
    b"SEND\ndestination:/queue/\xc3\xa9\n\n\xff\xfe\0",
    b"SEND\ndestination:/queue/a\nreceipt:\n\nx\0",
    b"SEND\ndestination:/queue/a\nx:\\\n\n\0",
    b"DISCONNECT\n\0",
    b"SEND\ndestination:/queue/a\nexpires:-1\n\nx\0",
    b"SEND\ndestination:/queue/a\nttl:" + b"9" * 60_000 + b"\n\nx\0",
    b"SEND\ndestination:/queue/a\nmessage-dedupe-id:" + b"x" * 60_000 + b"\n\nx\0",
    b"SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable-subscription:" + b"x" * 60_000 + b"\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/a\ndurable-subscription:d\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/topic/a\nactivemq.subscriptionName:d\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/dsub//d\n\n\0SEND\ndestination:/dsub//d\n\nx\0",
    b"UNSUBSCRIBE\ndurable-subscription:d\n\n\0",
    b"UNSUBSCRIBE\nid:1\ndurable:true\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable:true\n\n\0" * 2,
    b"SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable:true\n\n\0"
    b"UNSUBSCRIBE\nid:1\ndurable:true\n\n\0SEND\ndestination:/topic/a\npersistent:true\n\nx\0",
]

words = st.sampled_from(
    [
        *sorted(CLIENT_COMMANDS | SERVER_COMMANDS),
        "destination:/queue/shared",
        "destination:/topic/shared",
        "destination:x",
        "id:1",
        "id:2",
        "id:1-1",
        "id:1-2",
        "ack:client",
        "ack:client-individual",
        "message-id:1",
        "subscription:1",
        "transaction:t",
        "receipt:r",
        "content-length:3",
        "prefetch-count:0",
        "requeue:false",
        "persistent:true",
        "durable:true",
        "durable-subscription:d",
        "activemq.subscriptionName:d",
        "client-id:c",
        "expires:1",
        "ttl:100000",
        "expiration:x",
        "message-dedupe-id:x",
        "redelivery-attempts:1",
        "redelivery-delay:0",
        "dead-letter-reason:x",
        "accept-version:1.0,1.1",
        "a\\tb:c",
        ":",
        "x:\r",
        "",
    ]
)
some_frames = st.lists(words, min_size=1, max_size=6).map(
    lambda lines: "\n".join(lines).encode() + b"\n\n" + b"\0"
)
pieces = st.one_of(some_frames, some_frames, st.sampled_from(CORPUS), st.binary(max_size=20))


class ConversationTests(InMemory, SynchronousTestCase):
    def setUp(self) -> None:
        self.broker: Any = self.make_broker(linger=1.0)

    def bystander(self) -> Client:
        ann = self.broker.connect()
        ann.subscribes("/queue/mine", ack="client", id="q")
        ann.subscribes("/topic/mine", id="t")
        return ann

    def still_served(self, ann: Client) -> None:
        ann.everything()
        ann.says("SEND", {"destination": "/queue/mine"}, b"1")
        message = ann.hears("MESSAGE")
        self.assertEqual(message.body, b"1")
        ann.acks(message)
        ann.says("SEND", {"destination": "/topic/mine"}, b"2", receipt="r")
        self.assertEqual(ann.hears("MESSAGE").body, b"2")
        ann.hears("RECEIPT")

    def nothing_is_left(self) -> None:
        self.ends_durable_ones()
        self.broker.clock.advance(1000)
        self.assertEqual(self.broker.factory.sessions, {})
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.engine._topics.known, {})
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [], "something broke that should have been refused")

    def ends_durable_ones(self) -> None:
        """Those that it made outlive it, as they should."""
        engine = self.broker.engine
        for queue in list(engine.bindings):
            engine.unbind(queue)
        self.assertEqual([name for name in engine._lanes if name.startswith("/dsub/")], [])

    def hostile(self, octets: list[bytes], connected: bool, closes_its_side: bool = False) -> None:
        ann = self.bystander()
        eve = self.broker.dial()
        if connected:
            eve.sends(CONNECT)
        for piece in octets:
            eve.sends(piece)
        self.still_served(ann)
        if closes_its_side:
            eve.closes_its_side()
            self.still_served(ann)
            self.assertTrue(eve.is_closed)
        eve.hangs_up()
        self.still_served(ann)
        ann.hangs_up()
        self.nothing_is_left()

    def test_what_was_found_before(self) -> None:
        for octets in CORPUS:
            for connected in (False, True):
                for closes_its_side in (False, True):
                    self.setUp()
                    self.hostile([octets], connected, closes_its_side)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(pieces, max_size=12), st.booleans(), st.booleans())
    def test_whatever_is_said(self, octets, connected, closes_its_side) -> None:
        self.setUp()
        self.hostile(octets, connected, closes_its_side)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(pieces, max_size=6), st.integers(1, 7))
    def test_however_it_is_cut(self, octets, size) -> None:
        self.setUp()
        stream = CONNECT + b"".join(octets)
        self.hostile([stream[place : place + size] for place in range(0, len(stream), size)], False)


class OnFileTests(OnFile, ConversationTests):
    """The same with an engine that stores."""

    # Hypothesis runs a test of this name as often for each class.
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(pieces, max_size=12), st.booleans(), st.booleans())
    def test_whatever_is_said(self, octets, connected, closes_its_side) -> None:
        self.setUp()
        try:
            self.hostile(octets, connected, closes_its_side)
        finally:
            self.broker.dies()

    def test_however_it_is_cut(self) -> None:
        """It is the protocol's business, whatever the engine."""
