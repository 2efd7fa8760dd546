"""SubscriptionRegistry: who has subscribed to what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from operator import length_hint

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stomp_tx.address import is_bound, is_shared, is_topic, split
from stomp_tx.broker.destinations.composite_subscribe import CompositeSubscribe
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.destination import Destination
from stomp_tx.broker.destinations.queue import Queue
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.destinations.topic import Topic
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.broker.slices import Slices
from stomp_tx.interfaces import IEngine
from stomp_tx.message import Message
from stomp_tx.wildcards import Patterns, is_pattern

AT_ONCE = 200
"""Queues that are looked at for a pattern before it is others' turn."""


class SubscriptionRegistry:
    """Destinations by their address, made when they are first subscribed to and dropped with the last one.

    dropped -- called with (subscription, message) when a slow subscription loses a message
    too_slow -- called with a subscription whose connection is to end for being slow
    retained -- gives what is retained of a topic
    """

    def __init__(
        self,
        engine: IEngine,
        clock: IReactorTime,
        slices: Slices,
        settings: BrokerSettings,
        policies: Policies,
        dead_letters: DeadLetters,
        dropped: Callable[[Subscription, Message], None],
        too_slow: Callable[[Subscription], None],
        retained: Callable[[str], list[Message]],
    ) -> None:
        self._slices = slices
        self._retained = retained
        self._patterns: dict[
            tuple[str, str], Patterns[CompositeSubscribe]
        ] = {}  # of queues, by virtual host and kind
        engine.made = self._made
        self._engine = engine
        self._clock = clock
        self._settings = settings
        self._policies = policies
        self._dead_letters = dead_letters
        self._dropped = dropped
        self._too_slow = too_slow
        self._destinations: dict[str, Destination] = {}
        self._stops = False
        self._lingering: dict[Destination, IDelayedCall] = {}  # those without subscriptions

    def __iter__(self) -> Iterator[Destination]:
        return iter(list(self._destinations.values()))

    def get(self, address: str) -> Destination | None:
        """The destination, if anybody has subscribed to it."""
        return self._destinations.get(address)

    def add(
        self,
        subscription: Subscription,
        address: str,
        may_match: Callable[[str], bool] = lambda queue: True,
    ) -> None:
        """Put a subscription in force: messages may reach it before this returns.

        may_match -- says whether its patterns may find that queue
        """
        if _is_composite(address):
            self._add_composite(subscription, address, may_match)
            return
        destination = self._destinations.get(address)
        if destination is None:
            destination = self._destinations[address] = self._make(address)
        destination.add(subscription)

    def _add_composite(
        self, subscription: Subscription, address: str, may_match: Callable[[str], bool]
    ) -> None:
        composite = CompositeSubscribe(
            address,
            self._engine,
            self._clock,
            self._settings,
            self._dead_letters,
            self.add,
            self.remove,
            may_match,
            self._slices,
            self._join,
            self._look_again,
        )
        composite.add(subscription)
        parts = address.split(",")
        topics = ",".join(part for part in parts if is_topic(part))
        if topics:
            composite.join(topics)
        queues = [part for part in parts if not is_topic(part)]
        for part in sorted(queues, key=_is_pattern):  # what it names is its own, whatever patterns find
            if _is_pattern(part):
                self._add_patterns(composite, part)
            else:
                composite.join(part)

    # -- patterns of queues -------------------------------------------------------------------------------

    def _add_patterns(self, composite: CompositeSubscribe, pattern: str) -> None:
        """It gets what is in the queues that match now, and in those that will come to be."""
        host, kind, name = split(pattern)
        self._patterns.setdefault((host, kind), Patterns()).add(name, composite)
        self._join_those_of(composite, pattern, iter(list(self._engine.queues())))

    def _join_those_of(self, composite: CompositeSubscribe, pattern: str, queues: Iterator[str]) -> None:
        """What matches of these, some in each turn."""
        host, kind, name = split(pattern)
        matching: Patterns[int] = Patterns()
        matching.add(name, 1)
        for queue in islice(queues, AT_ONCE):
            of_host, of_kind, of = split(queue)
            if (of_host, of_kind) == (host, kind) and matching.matching(of):
                self._join(composite, queue)
        if composite.subscriptions and length_hint(queues):
            self._clock.callLater(0, self._join_those_of, composite, pattern, queues)

    def _remove_patterns(self, composite: CompositeSubscribe) -> None:
        for part in composite.address.split(","):
            if _is_pattern(part):
                host, kind, name = split(part)
                patterns = self._patterns[host, kind]
                patterns.remove(name, composite)
                if not len(patterns):
                    del self._patterns[host, kind]

    def _made(self, queue: str) -> None:
        """The engine's word for a queue that has come to be: who is to have it gets it in the next turn."""
        if not self._patterns:
            return
        host, kind, name = split(queue)
        patterns = self._patterns.get((host, kind))
        for composite in () if patterns is None else patterns.matching(name):
            self._clock.callLater(0, self._join, composite, queue)

    def _join(self, composite: CompositeSubscribe, queue: str) -> None:
        if composite.reads(queue) or not composite.subscriptions or not composite.may_match(queue):
            return
        if queue not in self._destinations and not self._engine.depth(queue)[0]:
            return  # it has gone: to consume from it would make it again, and others would be told, and so on
        if composite.count >= self._settings.wildcard_queues:
            if not composite.is_behind:
                composite.leave_idle()  # until something is sent there again
            if composite.count >= self._settings.wildcard_queues:
                composite.wait_for_turn(queue)
                return
        composite.join(queue, matched=True)

    def _look_again(self, composite: CompositeSubscribe) -> None:
        """For queues of its patterns that it knew nothing of, as so many others had to wait."""
        for part in composite.address.split(","):
            if _is_pattern(part):
                self._join_those_of(composite, part, iter(list(self._engine.queues())))

    def remove(self, subscription: Subscription) -> None:
        """End a subscription: no message reaches it any more."""
        source = subscription.destination
        source.remove(subscription)
        if isinstance(source, CompositeSubscribe):
            self._remove_patterns(source)
            return
        destination = self._destinations.get(source.address)
        if destination is source and not destination.subscriptions:
            self._drop(destination)

    def discard(self, address: str) -> None:
        """A destination without subscriptions, if it is there, goes now, whatever it waits for."""
        destination = self._destinations.get(address)
        timer = None if destination is None else self._lingering.pop(destination, None)
        if destination is not None and timer is not None:
            timer.cancel()
            self._close(destination)

    def is_consumed(self, address: str) -> bool:
        """Has anybody subscribed to it?"""
        destination = self._destinations.get(address)
        return destination is not None and bool(destination.subscriptions)

    def renew_policies(self) -> None:
        """They have changed."""
        for address, destination in self._destinations.items():
            destination.policy = self._policy_of(address)

    def _policy_of(self, address: str) -> Policy:
        return self._policies.of(self._engine.bindings.get(address, address))

    def stop(self) -> None:
        """From now on no destination outlives its subscriptions."""
        self._stops = True
        for destination in list(self._lingering):
            self.discard(destination.address)

    def _drop(self, destination: Destination) -> None:
        timer = self._lingering.pop(destination, None)
        if timer is not None and timer.active():
            timer.cancel()
        seconds = destination.lingers()
        if seconds > 0 and not self._stops:
            self._lingering[destination] = self._clock.callLater(seconds, self._end_of_lingering, destination)
        else:
            self._close(destination)

    def _close(self, destination: Destination) -> None:
        del self._destinations[destination.address]
        destination.close()
        if is_shared(destination.address):
            self._engine.unbind(destination.address)  # those who shared it have left

    def _end_of_lingering(self, destination: Destination) -> None:
        if destination.subscriptions:
            del self._lingering[destination]
        else:
            self._drop(destination)

    def _make(self, address: str) -> Destination:
        policy = self._policy_of(address)
        common = self._clock, self._settings, policy, self._dead_letters
        if is_topic(address):
            return Topic(address, self._engine, *common, self._dropped, self._too_slow, self._retained)
        return Queue(address, self._engine, *common)


def _is_pattern(address: str) -> bool:
    """Is it a pattern of queues?"""
    return not is_topic(address) and not is_bound(address) and is_pattern(split(address)[2])


def _is_composite(address: str) -> bool:
    """Is there more to it than one queue, or topics?"""
    parts = address.split(",")
    if all(is_topic(part) for part in parts):
        return False
    return len(parts) > 1 or _is_pattern(address)
