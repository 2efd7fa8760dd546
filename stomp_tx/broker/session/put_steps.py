"""Steps: what is done with each message of a route on its way, around its ``put``.

A route has those that it needs, and calls no other ones.  Each has a method ``put``, which is one itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stomp_tx.broker.events import Events, Sent
from stomp_tx.broker.headers.send import keeping_of, tell_keeping
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.session.access import must_be_bound
from stomp_tx.broker.session.no_local import OwnMessages
from stomp_tx.interfaces import Put, Safe
from stomp_tx.message import Message


class WhileBound:
    """To a durable subscription, while there is one."""

    __slots__ = ("_bindings", "_put")

    def __init__(self, put: Put, bindings: Mapping[str, str]) -> None:
        self._put = put
        self._bindings = bindings

    def put(self, message: Message) -> Safe:
        must_be_bound(message.address, self._bindings)
        return self._put(message)


class Stamped:
    """To a destination that says of messages what their producers do not."""

    __slots__ = ("_now", "_policy", "_put")

    def __init__(self, put: Put, policy: Policy, now: Callable[[], int]) -> None:
        self._put = put
        self._policy = policy
        self._now = now

    def put(self, message: Message) -> Safe:
        if message.keeping is None:
            message.keeping = keeping_of(message.headers, self._policy, self._now)
            tell_keeping(message, self._policy)
        return self._put(message)


class Told:
    """From a session, to those who observe what is sent."""

    __slots__ = ("_events", "_put", "_session_id")

    def __init__(self, put: Put, events: Events, session_id: str) -> None:
        self._put = put
        self._events = events
        self._session_id = session_id

    def put(self, message: Message) -> Safe:
        safe = self._put(message)
        self._events.emit(Sent, self._session_id, message)
        return safe


class Remembered:
    """From a session with subscriptions that don't want what it sends."""

    __slots__ = ("_own_messages", "_put")

    def __init__(self, put: Put, own_messages: OwnMessages) -> None:
        self._put = put
        self._own_messages = own_messages

    def put(self, message: Message) -> Safe:
        self._own_messages.add(message.id)
        return self._put(message)


class Signed:
    """From a session whose user is named in what it sends."""

    __slots__ = ("_put", "_user")

    def __init__(self, put: Put, user: str) -> None:
        self._put = put
        self._user = user

    def put(self, message: Message) -> Safe:
        sign(message, self._user)
        return self._put(message)


def sign(message: Message, user: str) -> None:
    """Say who has sent it, in the words of Apollo and Artemis, and in those of ActiveMQ."""
    message.headers = {**message.headers, "user-id": user, "JMSXUserID": user}
