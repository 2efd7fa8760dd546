"""broker/selector/identifiers.py: which header a name means."""

from stomp_tx.broker.selector.selector import compiled
from stomp_tx.message import OVERHEAD, PERSISTENT, Keeping
from tests.broker.selector.matching import SelectorTestCase, message


class HeaderTests(SelectorTestCase):
    def test_names_that_are_jms(self) -> None:
        headers = {"priority": "9", "timestamp": "1700000000000", "correlation-id": "c", "type": "t"}
        self.assertMatches(
            "JMSPriority = 9",
            "JMSTimestamp > 1.6e12",
            "JMSCorrelationID = 'c'",
            "JMSType = 't'",
            "JMSMessageID = '7-1'",
            "JMSDeliveryMode = 'NON_PERSISTENT'",
            **headers,
        )
        self.assertMatches("JMSPriority = 4 AND priority IS NULL AND JMSType IS NULL")

    def test_names_that_are_artemis(self) -> None:
        sent = message({"timestamp": "1700000000000", "JMSXGroupID": "g", "priority": "9"})
        sent.keeping = Keeping(persistent=True, expires=1_800_000_000_000, priority=9)
        for text in (
            "AMQPriority = 9",
            "AMQTimestamp > 1.6e12",
            "AMQExpiration = 1800000000000",
            "AMQDurable = 'DURABLE'",
            f"AMQSize = {sent.size - OVERHEAD}",
            "AMQUserID = '7-1'",
            "AMQAddress = '/queue/shown'",
            "AMQGroupID = 'g'",
        ):
            self.assertTrue(compiled(text).matches(sent), text)
        self.assertMatches("AMQPriority = 4 AND AMQExpiration = 0 AND AMQDurable = 'NON_DURABLE'")

    def test_the_delivery_mode_is_what_is_done(self) -> None:
        kept = message({})
        kept.keeping = PERSISTENT
        self.assertTrue(compiled("JMSDeliveryMode = 'PERSISTENT'").matches(kept))

    def test_quoted_they_are_headers(self) -> None:
        self.assertMatches('"AMQPriority" = 1 AND AMQPriority = 2', AMQPriority="1", priority="2")
        self.assertMatches('"JMSPriority" = 1 AND JMSPriority = 2', JMSPriority="1", priority="2")

    def test_headers_are_those_of_the_message_frame(self) -> None:
        headers = {"message-id": "mine", "destination": "mine", "redelivered": "mine", "receipt": "mine"}
        self.assertMatches(
            """ "message-id" = '7-1' """,
            "destination = '/queue/shown'",
            "redelivered IS NULL",
            "receipt IS NULL",
            **headers,
        )
