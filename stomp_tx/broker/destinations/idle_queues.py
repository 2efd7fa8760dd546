"""IdleQueues: queues that nobody consumes from, and that go for that after a while."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from stomp_tx.address import QUEUE, split
from stomp_tx.broker.policy import Policies
from stomp_tx.interfaces import IEngine


class IdleQueues:
    """Deletes a queue with all that waits there, when its policy's ``delete_idle`` says so."""

    def __init__(
        self,
        engine: IEngine,
        policies: Policies,
        clock: IReactorTime,
        is_consumed: Callable[[str], bool],
    ) -> None:
        """``is_consumed(address)``: has anybody subscribed to it?"""
        self._engine = engine
        self._policies = policies
        self._clock = clock
        self._is_consumed = is_consumed
        self._since: dict[str, float] = {}  # those that are idle

    def sweep(self) -> None:
        """Called every second or so."""
        if not self._policies.delete_idle:
            self._since.clear()
            return
        now = self._clock.seconds()
        since, self._since = self._since, {}
        for queue in {**dict.fromkeys(self._engine.queues()), **self._engine.bindings}:
            topic = self._engine.bindings.get(queue)
            if (topic is None and split(queue)[1] != QUEUE) or self._is_consumed(queue):
                continue
            seconds = self._policies.of(queue if split(queue)[1] == QUEUE else topic or "").delete_idle
            if not seconds:
                continue
            began = since.get(queue, now)
            if now - began < seconds:
                self._since[queue] = began
            elif topic is not None:
                self._engine.unbind(queue)
            else:
                self._engine.delete(queue)
