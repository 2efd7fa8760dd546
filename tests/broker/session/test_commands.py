"""broker/session/commands.py: the table of states is what sessions go by."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.session.commands import CONNECTED, CONNECTING
from stomp_tx.broker.session.session import BrokerSession, State
from stomp_tx.wire.commands import VERSIONS
from tests.conversation import Broker


def session_of(broker: Broker) -> BrokerSession:
    (session,) = broker.factory.sessions
    assert isinstance(session, BrokerSession)
    return session


class CommandsTests(SynchronousTestCase):
    def test_before_connect_there_is_connect_alone(self) -> None:
        broker = Broker()
        broker.dial()
        self.assertEqual(set(session_of(broker)._handlers), CONNECTING)

    def test_an_open_session_takes_what_the_table_says(self) -> None:
        for version in VERSIONS:
            with self.subTest(version):
                broker = Broker()
                broker.connect(version)
                session = session_of(broker)
                self.assertIs(session.state, State.CONNECTED)
                self.assertEqual(set(session._handlers), CONNECTED[version])

    def test_some_dialects_have_nack_in_1_0(self) -> None:
        broker = Broker(dialect="rabbitmq")
        broker.connect("1.0")
        self.assertEqual(set(session_of(broker)._handlers), CONNECTED["1.0"] | {"NACK"})

    def test_a_session_that_is_over_takes_nothing(self) -> None:
        broker = Broker()
        broker.connect().closes_its_side()
        session = session_of(broker)
        self.assertIs(session.state, State.CLOSED)
        self.assertEqual(session._handlers, {})
