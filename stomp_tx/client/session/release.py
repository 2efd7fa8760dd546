"""Release: the end of a subscription to a broker that gives what it held to nobody else by itself."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from stomp_tx.client.deferred import ClientDeferred
from stomp_tx.client.session.active_work import ActiveWork
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame

QUIET = 0.1
"""Seconds without a message: no more are on their way."""

LONGEST = 2.0
"""Seconds after which it ends, though messages are still coming: it was to have as many as there are."""


class Release:
    """Refuses what was not acknowledged, so that it goes to others, and then unsubscribes.

    RabbitMQ leaves unacknowledged messages with the connection when their subscription ends, and those that
    reach it afterwards as well: nobody gets them until the connection ends.  And what is refused before the
    end may come to the same subscription again.

    So all are refused in a transaction, in which they still count for the prefetch: none comes in their
    place.  Once there are as many as the prefetch, or no more come, UNSUBSCRIBE; and then COMMIT.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        active_work: ActiveWork,
        clock: IReactorTime,
        prefetch: int,
        unsubscribing: list[Frame],
        receipt: bool,
    ) -> None:
        """
        prefetch -- as many may be unacknowledged; 0: any number
        unsubscribing -- the frames that end it; the last one is answered, if a receipt is wanted
        """
        self._outgoing = outgoing
        self._active_work = active_work
        self._clock = clock
        self._prefetch = prefetch
        self._unsubscribing = unsubscribing
        self._receipt = receipt
        self._transaction = outgoing.new_transaction()
        self._refused = 0
        self._timer: IDelayedCall | None = None
        self._done: Deferred[None] = ClientDeferred()

    def begin(self, unsettled: list[Frame]) -> Deferred[None]:
        """Fires when the subscription has ended; as UNSUBSCRIBE."""
        self._latest = self._clock.seconds() + LONGEST
        self._active_work.add(self)  # disconnect() waits for it
        self._outgoing.perform(frames.begin(self._transaction))
        for message in unsettled:
            self._refuse(message)
        self._wait()
        return self._done

    def received(self, message: Frame) -> None:
        """One more, which was on its way."""
        if self._timer is not None:
            self._refuse(message)
            self._wait()

    def _refuse(self, message: Frame) -> None:
        self._refused += 1
        # Said, though it is the default: an administrator may have made another.
        requeue = {"requeue": "true"}
        version = self._outgoing.status.version
        nack = frames.nack(message, version=version, transaction=self._transaction, headers=requeue)
        self._outgoing.perform(nack)

    def _wait(self) -> None:
        self._stop()
        if self._prefetch and self._refused >= self._prefetch:
            self._end()
        else:
            wait = min(QUIET, max(0.0, self._latest - self._clock.seconds()))
            self._timer = self._clock.callLater(wait, self._end)

    def _end(self) -> None:
        self._stop()
        perform = self._outgoing.perform
        for frame in self._unsubscribing[:-1]:
            perform(frame)
        ended = perform(self._unsubscribing[-1], self._receipt)
        perform(frames.commit(self._transaction)).addErrback(lambda _: None)  # as UNSUBSCRIBE
        ended.chainDeferred(self._done)
        self._over()

    def lost(self) -> None:
        """The connection is gone, and with it all that was to be given back."""
        if self._timer is not None:
            self._stop()
            self._done.errback(Failure(self._outgoing.status.lost()))
            self._over()

    def _over(self) -> None:
        self._active_work.finish(self)

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
