"""Consumer: one SUBSCRIBE, and what becomes of the messages that come for it."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from stomp_tx.client.event_loop import Run, in_task, run_in_task
from stomp_tx.client.session.acknowledgments import Acknowledgments
from stomp_tx.client.session.active_work import ActiveWork
from stomp_tx.client.session.inbox import Inbox
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.message_handler import Handler, MessageHandler
from stomp_tx.client.session.outgoing import Outgoing
from stomp_tx.client.session.release import Release
from stomp_tx.errors import ConnectionLost, ErrorReceived, StompError, SubscriptionEnded
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers

PREFETCH = 100
"""Messages that a subscription may hold unacknowledged, where the user does not say."""


class ConsumerSession(Protocol):
    """What a consumer uses of its session.

    outgoing -- what is said, and how the session is
    active_work -- what disconnect() waits for
    run -- runs users' coroutines
    """

    outgoing: Outgoing
    active_work: ActiveWork
    clock: IReactorTime
    run: Run

    def unsubscribe(
        self, consumer: Consumer, receipt: bool, forget: bool, headers: Headers | None
    ) -> Deferred[None]:
        """End a subscription."""


class Consumer:
    """The messages of one destination on their way to a handler, or to who asks for the next one.

    What a user sees of it, and what the arguments mean, is a Subscription.

    lasting -- it is made again on the next connection
    """

    new_message: Callable[..., Message]
    """Makes a message of a frame, and ``number=``; its Subscription gives it this."""

    def __init__(
        self,
        session: ConsumerSession,
        id: str,
        destination: str,
        *,
        ack: str = "auto",
        handler: Handler | None = None,
        prefetch: int | None = None,
        headers: Headers | None = None,
        concurrency: int | None = None,
        durable: str | None = None,
        lasting: bool = False,
    ) -> None:
        if prefetch is None:
            # A plain function is done with each message before the next one is read.
            is_done_at_once = handler is not None and concurrency is None and not iscoroutinefunction(handler)
            prefetch = 0 if ack == "auto" and is_done_at_once else PREFETCH
        self.session = session
        self.id = id
        self.destination = destination
        self.handler = handler
        self.prefetch = prefetch
        self.headers = dict(headers or {})
        self.concurrency = concurrency
        self.durable = durable
        self.lasting = lasting
        self.when_over: Callable[[Consumer], object] = lambda _: None
        """Called with it when no more messages come."""
        self.ended = False
        """Do no more messages come?"""
        self.acknowledgments = Acknowledgments(ack, ack == "auto" and prefetch > 0, session.outgoing)
        self.inbox: Inbox | None = None
        self._deliver: Callable[[Message], None]
        self._message_handler: MessageHandler | None = None
        if handler is None:
            self.inbox = Inbox(self.acknowledgments)
            self._deliver = self.inbox.deliver
        else:
            run = run_in_task if in_task() else session.run
            self._message_handler = MessageHandler(
                handler, concurrency, destination, run, self.acknowledgments, session.active_work
            )
            self._deliver = self._message_handler.deliver
        self._is_unsettled = self.acknowledgments.are_needed  # each message, when it has come
        self._unsettled = self.acknowledgments.unsettled
        self._lost: StompError | None = None
        self._release: Release | None = None
        self._count = 0

    @property
    def is_acknowledged(self) -> bool:
        """Does somebody acknowledge its messages: the user, or the client by itself?"""
        return self.acknowledgments.are_needed

    def move_to(self, session: ConsumerSession) -> None:
        """From now on it is on that session."""
        self.session = session
        self.acknowledgments.outgoing = session.outgoing
        if self._message_handler is not None:
            self._message_handler.active_work = session.active_work

    def received(self, frame: Frame) -> None:
        """A MESSAGE has come for it."""
        if self.ended:
            # It was on its way when the subscription ended.
            if self._release is not None:
                self._release.received(frame)
            return
        self._count = number = self._count + 1
        message = self.new_message(frame, number=number)
        if self._is_unsettled:
            self._unsettled.add(number, frame)
        self._deliver(message)

    # -- SUBSCRIBE and UNSUBSCRIBE ------------------------------------------------------------------------

    def frame(self) -> Frame:
        """The SUBSCRIBE frame that asks for it."""
        headers = {**self._durable_headers(), **self.headers}
        if self.prefetch:
            for name in self.session.outgoing.status.dialect.prefetch:
                headers.setdefault(name, str(self.prefetch))
        acknowledgments = self.acknowledgments
        ack = "client-individual" if acknowledgments.are_automatic else acknowledgments.mode
        return frames.subscribe(self.id, self.destination, ack=ack, headers=headers)

    def unsubscribe_frames(self, headers: Headers | None, forget: bool) -> list[Frame]:
        """The UNSUBSCRIBE frames that end it."""
        plain = frames.unsubscribe(self.id, headers=headers)
        if not forget:
            return [plain]
        last = frames.unsubscribe(self.id, headers={**self._durable_headers(), **(headers or {})})
        return (
            [plain, last] if self.durable and self.session.outgoing.status.dialect.forgets_unused else [last]
        )

    def _durable_headers(self) -> dict[str, str]:
        if self.durable is None:
            return {}
        named = self.session.outgoing.status.dialect.durable.items()
        return {name: value.format(self.durable) for name, value in named}

    def unsubscribe(self, receipt: bool, forget: bool, headers: Headers | None) -> Deferred[None]:
        """Want no more messages: see StompClient.unsubscribe."""
        if not forget and self.lasting and self.session.outgoing.status.is_over:
            self.end(None)  # and so it will not be made again
            return succeed(None)
        return self.session.unsubscribe(self, receipt, forget, headers)

    # -- the end ------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Give no more messages to the user; those that he has can still be acknowledged."""
        self._stop(None)

    def end(self, lost: StompError | None) -> None:
        """It is over: the connection was lost, or (None) it was unsubscribed.

        A lasting one outlives its connection: it is only made again, on the next one.
        """
        self._unsettled.clear()
        if self._release is not None:
            self._release.lost()
        if lost is not None:
            self.goes_stale()
        if lost is not None and self.lasting:
            if self.is_acknowledged:
                self._clear()  # the broker gives them to somebody again
            return
        self.acknowledgments.end()
        self._stop(lost)

    def return_unsettled(self, unsubscribing: list[Frame], receipt: bool) -> Deferred[None]:
        """End, but leave nothing with the connection: see release.py."""
        unsettled = self._unsettled.frames()
        self.end(None)
        session = self.session
        self._release = Release(
            session.outgoing, session.active_work, session.clock, self.prefetch, unsubscribing, receipt
        )
        return self._release.begin(unsettled)

    def goes_stale(self) -> None:
        """What has come can't be acknowledged any more: its connection is gone."""
        self._unsettled.go_stale(self._count)

    def _stop(self, lost: StompError | None) -> None:
        if self.ended:
            return
        self.ended = True
        self._lost = lost
        if self.is_acknowledged or self.inbox is None:
            self._clear()  # the broker gives them to others: nobody shall work on them here
        self.when_over(self)
        if self.inbox is not None:
            self.inbox.end(self._why_over)

    def _clear(self) -> None:
        """Nobody gets the messages that wait here."""
        waiting = self.inbox if self._message_handler is None else self._message_handler
        if waiting is not None:
            waiting.clear()

    def _why_over(self) -> StompError:
        lost = self._lost
        if lost is None:
            return SubscriptionEnded(
                f"the subscription to {self.destination} has ended",
                "it was unsubscribed, or the client has disconnected: no more messages come",
            )
        if isinstance(lost, (ConnectionLost, ErrorReceived)):
            return lost
        return self.session.outgoing.status.lost()

    def __repr__(self) -> str:
        waiting = self.inbox if self._message_handler is None else self._message_handler
        counts = f"to acknowledge: {len(self._unsettled)}, waiting: {len(waiting or ())}"
        ack, state = self.acknowledgments.mode, "has ended" if self.ended else counts
        return f"<Subscription {self.id!r} to {self.destination!r}, ack={ack!r}, {state}>"
