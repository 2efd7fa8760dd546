"""DeadLetters: what becomes of messages that nobody will get any more."""

from __future__ import annotations

from collections.abc import Callable

from stomp_tx.address import RETAINED, TEMP_QUEUE, TEMP_TOPIC, TOPIC, base_of, is_bound, split, within
from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.events import Dropped, Events
from stomp_tx.broker.message_headers import REASON, TIMES
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.message import OVERHEAD, Keeping, Message

_ORIGINAL_EXPIRES = "original-expires"
_GONE = frozenset({*TIMES, _ORIGINAL_EXPIRES})  # what its message says of that is not so any more


class DeadLetters:
    """Makes a dead letter of a message that has failed, where its destination's policy wants one.

    It has the same body and headers, and more of these that tell the reason, from where, how often it was
    delivered, and when it failed: ours, and those by which ActiveMQ's and Artemis' clients know.  Its id is
    its own: of one message of a topic there may be several.
    """

    def __init__(
        self,
        policies: Policies,
        now: Callable[[], int],
        events: Events,
        new_id: Callable[[], str],
        name_length: int,
        dialect: Dialect = AUTO,
    ) -> None:
        """
        now -- gives the milliseconds since 1970
        new_id -- gives the id of a message
        name_length -- characters that an address may have
        dialect -- says which queue is theirs where no policy does, and nobody had the message
        """
        self._dialect = dialect
        self._new_id = new_id
        self._name_length = name_length
        self._policies = policies
        self._now = now
        self._events = events

    def is_over(self, message: Message) -> bool:
        """Has it expired?"""
        keeping = message.keeping
        return keeping is not None and 0 < keeping.expires <= self._now()

    def expired(self, message: Message) -> list[Message]:
        """What is appended instead of a message that has expired; nothing: it is dropped."""
        if split(base_of(message.address))[1] == RETAINED:
            return []  # those who heard it have it
        policy = self._policies.of(_destination(message))
        letter = self.instead_of(message, "expired", policy if policy.expired == "dead-letter" else None)
        return [] if letter is None else [letter]

    def instead_of(
        self, message: Message, reason: str, policy: Policy | None, dialect: Dialect | None = None
    ) -> Message | None:
        """The same for another reason; without a policy it is dropped.  ``dialect``: of who had it."""
        queue = None if policy is None else policy.dead_letter
        if policy is not None and queue is None:
            queue = (dialect or self._dialect).dead_letter
        # (What was for one session alone is nobody else's.)
        is_private = split(base_of(message.address))[1] in (TEMP_QUEUE, TEMP_TOPIC)
        if not queue or REASON in message.headers or is_private:
            self._events.emit(Dropped, "", "", message, reason)
            return None
        host, _, name = split(_destination(message))
        address = within(host, queue.replace("*", name)[: self._name_length])
        attempts = message.attempts if reason == "expired" else message.attempts + 1
        headers = {header: value for header, value in message.headers.items() if header not in _GONE}
        headers |= {
            REASON: reason,
            "dead-letter-destination": message.destination,
            "dead-letter-attempts": str(attempts),
            "dead-letter-time": str(self._now()),
            "original-destination": message.destination,
            "_AMQ_ORIG_ADDRESS": name,
            "_AMQ_ORIG_QUEUE": name,
            "_AMQ_ORIG_MESSAGE_ID": message.id,
        }
        if message.keeping is not None and message.keeping.expires:
            headers[_ORIGINAL_EXPIRES] = str(message.keeping.expires)
        keeps = self._policies.of(address)
        expires = 0
        if keeps.ttl or keeps.ttl_max:
            expires = self._now() + int(1000 * (keeps.ttl or keeps.ttl_max))
            headers["expires"] = str(expires)
        more = sum(
            len(name) + len(value) + 2 for name, value in headers.items() if name not in message.headers
        )
        shown = "".join(split(address)[1:])
        letter = Message(
            self._new_id(),
            shown,
            address,
            headers,
            message.body,
            message.size - OVERHEAD + more,
            message.owner,
        )
        if message.is_persistent or expires:
            letter.keeping = Keeping(message.is_persistent, expires)
        return letter


def _destination(message: Message) -> str:
    """The address of the queue or topic that it was sent to."""
    address = base_of(message.address)
    if not is_bound(address):
        return address
    topic = message.destination if message.destination.startswith(TOPIC) else TOPIC + message.destination
    return within(split(address)[0], topic)
