"""SelectingConsumers: the subscriptions of a queue that want some of its messages and not the others.

What an ordinary subscription gets is the next message there is.  A chooser looks for it: through all that
waits, page by page, when it begins, and from then on at what comes.  It looks at each message once.  While it
can't be given any, it remembers from where on it has not looked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.message import Message

AT_ONCE = 2000
"""Messages that one chooser looks at before it is others' turn: some milliseconds.  See Message.looks."""

RETURNED = 1000
"""Messages that came back and that one chooser remembers one by one."""


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


class Giver(Protocol):
    """What choosers ask their queue."""

    def browse(self, after: int) -> Iterator[list[Message]]:
        """What waits after a position."""

    def may_have(self, message: Message, subscription: Subscription) -> float:
        """0.0, or how many seconds from now it may have this message; -1.0: it gets it in another way."""

    def unwanted(self, message: Message, subscription: Subscription) -> None:
        """One that waits is not what it wants."""

    def give(self, message: Message, subscription: Subscription) -> bool | None:
        """Give it one that waits.  False: it waits no more.  None: it can't be handed out yet."""


class SelectingConsumers:
    """Those of one queue, in turn."""

    __slots__ = ("_choosers", "_clock", "_newest", "_queue")

    def __init__(self, queue: Giver, clock: IReactorTime) -> None:
        self._queue = queue
        self._clock = clock
        self._choosers: dict[Subscription, SelectingConsumer] = {}
        self._newest = 0  # the highest position that was noticed

    def __len__(self) -> int:
        return len(self._choosers)

    def __contains__(self, subscription: object) -> bool:
        return subscription in self._choosers

    def add(self, subscription: Subscription) -> None:
        self._choosers[subscription] = SelectingConsumer(subscription)
        self.look(subscription)

    def remove(self, subscription: Subscription) -> None:
        chooser = self._choosers.pop(subscription, None)
        if chooser is not None and chooser.timer is not None and chooser.timer.active():
            chooser.timer.cancel()

    def begin_anew(self) -> None:
        """What they may have has changed: when they look next, all look at everything that waits."""
        for chooser in self._choosers.values():
            chooser.begin_anew()

    def look_again(self) -> None:
        """The same now."""
        self.begin_anew()
        for subscription in list(self._choosers):
            self.look(subscription)

    def next_for(self, message: Message) -> Subscription | None:
        """Who is to have a message that is being handed out; None: nobody wants it now."""
        self._newest = max(self._newest, message.position)
        for chooser in list(self._choosers.values()):
            subscription = chooser.subscription
            if (
                chooser.can_take
                and chooser.is_up_to_date
                and chooser.wants(message)
                and not self._queue.may_have(message, subscription)
            ):
                self._had_its_turn(chooser)
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
            for subscription in list(self._choosers):
                self.look(subscription)

    def _offer(self, message: Message, is_new: bool) -> None:
        is_given = False
        for chooser in list(self._choosers.values()):
            if is_given:
                return
            if not (chooser.can_take and chooser.is_up_to_date):
                chooser.note(message, is_new)
            elif chooser.wants(message):
                wait = self._queue.may_have(message, chooser.subscription)
                if wait:
                    self._later(chooser, message, wait)
                    continue
                given = self._queue.give(message, chooser.subscription)
                if given is None:
                    chooser.back(message)
                    continue
                self._had_its_turn(chooser)
                is_given = True
            else:
                self._queue.unwanted(message, chooser.subscription)

    def _had_its_turn(self, chooser: SelectingConsumer) -> None:
        del self._choosers[chooser.subscription]
        self._choosers[chooser.subscription] = chooser  # behind the others

    def _later(self, chooser: SelectingConsumer, message: Message, seconds: float) -> None:
        """It may have this one, but not yet."""
        if seconds > 0:
            self._clock.callLater(seconds, self._come_back_to, chooser, message)

    def _come_back_to(self, chooser: SelectingConsumer, message: Message) -> None:
        if self._choosers.get(chooser.subscription) is chooser:
            chooser.returned.append(message)
            self.look(chooser.subscription)

    def look(self, subscription: Subscription) -> None:
        """It can be given messages: look for them."""
        chooser = self._choosers.get(subscription)
        if chooser is None or (chooser.timer is not None and chooser.timer.active()):
            return
        left = AT_ONCE
        if not chooser.can_take:
            return
        for message in chooser.candidates(self._queue.browse):
            left -= message.looks
            if chooser.wants(message):
                wait = self._queue.may_have(message, subscription)
                if wait:
                    self._later(chooser, message, wait)
                elif self._queue.give(message, subscription) is None:
                    chooser.back(message)
                    return  # ``noticed`` tells when
            else:
                self._queue.unwanted(message, subscription)
            if not chooser.can_take:
                return
            if left <= 0:
                chooser.timer = self._clock.callLater(0, self._go_on, chooser)
                return

    def _go_on(self, chooser: SelectingConsumer) -> None:
        if self._choosers.get(chooser.subscription) is chooser:
            chooser.timer = None
            self.look(chooser.subscription)
