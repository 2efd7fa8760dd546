"""What an identifier of a selector names: a header of the MESSAGE, or one of JMS' and Artemis' names."""

from __future__ import annotations

from stomp_tx.broker.message_headers import OWNED
from stomp_tx.broker.selector.values import Text, constantly
from stomp_tx.message import GROUP, OVERHEAD


def header_of(name: str) -> Text:
    """Of the header that a MESSAGE shows under this name."""
    if name == "message-id":
        return lambda message: message.id
    if name == "destination":
        return lambda message: message.destination
    if name in OWNED:
        return constantly(None)
    return lambda message: message.headers.get(name)


IDENTIFIERS: dict[str, Text] = {
    "JMSMessageID": header_of("message-id"),
    "JMSPriority": lambda message: message.headers.get("priority", "4"),
    "JMSTimestamp": header_of("timestamp"),
    "JMSCorrelationID": header_of("correlation-id"),
    "JMSType": header_of("type"),
    "JMSDeliveryMode": lambda message: "PERSISTENT" if message.is_persistent else "NON_PERSISTENT",
    "AMQUserID": header_of("message-id"),
    "AMQAddress": header_of("destination"),
    "AMQPriority": lambda message: message.headers.get("priority", "4"),
    "AMQTimestamp": header_of("timestamp"),
    "AMQExpiration": lambda message: str(message.keeping.expires if message.keeping else 0),
    "AMQDurable": lambda message: "DURABLE" if message.is_persistent else "NON_DURABLE",
    "AMQSize": lambda message: str(message.size - OVERHEAD),
    "AMQGroupID": header_of(GROUP),
}
