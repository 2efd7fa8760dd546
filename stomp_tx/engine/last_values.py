"""LastValues: of a queue in which the last message of each ``last_value`` waits, which ones those are."""

from __future__ import annotations

from stomp_tx.message import Message


class LastValues:
    """The last message of each value, without its body; all lanes of a queue share one of these."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}

    def add(self, message: Message) -> Message | None:
        """It waits now.  Gives the one whose place it takes; None: there is none."""
        assert message.keeping is not None and message.keeping.last_value is not None
        value = message.keeping.last_value
        before = self._messages.get(value)
        if before is not None and before.position == message.position:
            return None
        self._messages[value] = message.without_body()
        return before

    def discard(self, message: Message) -> None:
        """It waits no more."""
        value = None if message.keeping is None else message.keeping.last_value
        last = None if value is None else self._messages.get(value)
        if value is not None and last is not None and last.position == message.position:
            del self._messages[value]

    def clear_lane(self, address: str) -> None:
        """Nothing waits in that lane any more."""
        for value, message in list(self._messages.items()):
            if message.address == address:
                del self._messages[value]
