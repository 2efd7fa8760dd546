"""SelectingConsumers: the subscriptions of a queue that want some of its messages and not the others.

An ordinary subscription gets the next message there is.  A selecting consumer looks for its own: through all
that waits, page by page, when it begins, and from then on at what comes.  It looks at each message once.
While it can't be given any, it remembers from where on it has not looked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.message import Message

AT_ONCE = 2000
"""Messages that one consumer looks at before it is others' turn: some milliseconds.  See Message.looks."""

RETURNED = 1000
"""Messages that came back and that one consumer remembers one by one."""


class SelectingConsumer:
    """How far one subscription has looked.

    pages -- of what it looks through now
    page -- what is left of the last one
    late -- the position from which on it has not looked; None: it has
    returned -- messages before that, which have come back meanwhile
    """

    __slots__ = ("late", "page", "pages", "returned", "subscription", "timer")

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.pages: Iterator[list[Message]] | None = None
        self.page: deque[Message] = deque()
        self.late: int | None = 1  # positions are counted from 1
        self.returned: list[Message] = []
        self.timer: IDelayedCall | None = None

    @property
    def can_take(self) -> bool:
        """Can it be given a message?"""
        subscription = self.subscription
        return subscription.credit > 0 and not subscription.paused

    @property
    def is_up_to_date(self) -> bool:
        """Has it looked at all that waits?"""
        return self.late is None and self.pages is None and not self.page and not self.returned

    def wants(self, message: Message) -> bool:
        wanted = self.subscription.wants
        return wanted is None or wanted(message)

    def note(self, message: Message, is_new: bool) -> None:
        """It waits, and was not looked at."""
        if self.late is not None and self.late <= message.position:
            return
        if not is_new:
            if self.wants(message):
                self.returned.append(message)
            if len(self.returned) < RETURNED:
                return
            message = min(self.returned, key=lambda one: one.position)
            self.returned.clear()
        self.late = message.position if self.late is None else min(self.late, message.position)

    def begin_anew(self) -> None:
        """It has looked at nothing."""
        self.late, self.pages = 1, None
        self.page.clear()
        self.returned.clear()

    def candidates(self, browse: Callable[[int], Iterator[list[Message]]]) -> Iterator[Message]:
        """Each message that it has not looked at; who asks no further gives the last one ``back``."""
        while not self.is_up_to_date:
            while self.returned:
                yield self.returned.pop(0)
            while self.page:
                yield self.page.popleft()
            if self.pages is None and self.late is not None:
                self.pages, self.late = browse(self.late - 1), None
            if self.pages is not None:
                page = next(self.pages, None)
                if page is None:
                    self.pages = None
                else:
                    self.page.extend(page)

    def back(self, message: Message) -> None:
        """It could not be given this one yet."""
        self.page.appendleft(message)


class SelectingQueue(Protocol):
    """What they ask their queue."""

    def browse(self, after: int) -> Iterator[list[Message]]:
        """What waits after a position."""

    def wait(self, message: Message, subscription: Subscription) -> float:
        """0.0, or how many seconds from now it may have this message; -1.0: it gets it in another way."""

    def unwanted(self, message: Message, subscription: Subscription) -> None:
        """One that waits is not what it wants."""

    def pick(self, message: Message, subscription: Subscription) -> bool | None:
        """Give it one that waits.  False: it waits no more.  None: it can't be handed out yet."""


class SelectingConsumers:
    """Those of one queue, in turn.

    is_held -- they look at nothing
    """

    __slots__ = ("_clock", "_consumers", "_newest", "_queue", "is_held")

    def __init__(self, queue: SelectingQueue, clock: IReactorTime) -> None:
        self.is_held = False
        self._queue = queue
        self._clock = clock
        self._consumers: dict[Subscription, SelectingConsumer] = {}
        self._newest = 0  # the highest position that was noticed

    def __len__(self) -> int:
        return len(self._consumers)

    def __contains__(self, subscription: object) -> bool:
        return subscription in self._consumers

    def add(self, subscription: Subscription) -> None:
        self._consumers[subscription] = SelectingConsumer(subscription)
        self.look(subscription)

    def remove(self, subscription: Subscription) -> None:
        consumer = self._consumers.pop(subscription, None)
        if consumer is not None and consumer.timer is not None and consumer.timer.active():
            consumer.timer.cancel()

    def begin_anew(self) -> None:
        """What they may have has changed: when they look next, all look at everything that waits."""
        for consumer in self._consumers.values():
            consumer.begin_anew()

    def look_again(self) -> None:
        """The same now."""
        self.begin_anew()
        for subscription in list(self._consumers):
            self.look(subscription)

    def next_for(self, message: Message) -> Subscription | None:
        """Who is to have a message that is being handed out; None: nobody wants it now."""
        self._newest = max(self._newest, message.position)
        for consumer in list(self._consumers.values()):
            subscription = consumer.subscription
            if (
                consumer.can_take
                and consumer.is_up_to_date
                and consumer.wants(message)
                and not self._queue.wait(message, subscription)
            ):
                self._had_its_turn(consumer)
                return subscription
        return None

    def noticed(self, messages: Sequence[Message] | None) -> None:
        """These have begun to wait, in their order; none: what could not be given before may be now.

        None: not all that wait could be looked at.
        """
        if messages is None:
            self.look_again()
            return
        newest = self._newest
        for message in messages:
            self._offer(message, message.position > newest)
            self._newest = max(self._newest, message.position)
        if not messages:
            for subscription in list(self._consumers):
                self.look(subscription)

    def _offer(self, message: Message, is_new: bool) -> None:
        is_given = False
        for consumer in list(self._consumers.values()):
            if is_given:
                return
            if not (consumer.can_take and consumer.is_up_to_date):
                consumer.note(message, is_new)
            elif consumer.wants(message):
                wait = self._queue.wait(message, consumer.subscription)
                if wait:
                    self._later(consumer, message, wait)
                    continue
                given = self._queue.pick(message, consumer.subscription)
                if given is None:
                    consumer.back(message)
                    continue
                self._had_its_turn(consumer)
                is_given = True
            else:
                self._queue.unwanted(message, consumer.subscription)

    def _had_its_turn(self, consumer: SelectingConsumer) -> None:
        del self._consumers[consumer.subscription]
        self._consumers[consumer.subscription] = consumer  # behind the others

    def _later(self, consumer: SelectingConsumer, message: Message, seconds: float) -> None:
        """It may have this one, but not yet."""
        if seconds > 0:
            self._clock.callLater(seconds, self._come_back_to, consumer, message)

    def _come_back_to(self, consumer: SelectingConsumer, message: Message) -> None:
        if self._consumers.get(consumer.subscription) is consumer:
            consumer.returned.append(message)
            self.look(consumer.subscription)

    def look(self, subscription: Subscription) -> None:
        """It can be given messages: look for them."""
        consumer = self._consumers.get(subscription)
        if consumer is None or (consumer.timer is not None and consumer.timer.active()):
            return
        left = AT_ONCE
        if not consumer.can_take or self.is_held:
            return
        for message in consumer.candidates(self._queue.browse):
            left -= message.looks
            if consumer.wants(message):
                wait = self._queue.wait(message, subscription)
                if wait:
                    self._later(consumer, message, wait)
                elif self._queue.pick(message, subscription) is None:
                    consumer.back(message)
                    return  # ``noticed`` tells when
            else:
                self._queue.unwanted(message, subscription)
            if not consumer.can_take:
                return
            if left <= 0:
                consumer.timer = self._clock.callLater(0, self._go_on, consumer)
                return

    def _go_on(self, consumer: SelectingConsumer) -> None:
        if self._consumers.get(consumer.subscription) is consumer:
            consumer.timer = None
            self.look(consumer.subscription)
