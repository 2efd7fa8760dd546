"""Conversation: what an open session has, from CONNECTED to its end, and what its frames do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import Delivery
from stomp_tx.broker.names import Names
from stomp_tx.broker.session.access import Access
from stomp_tx.broker.session.acknowledging import Acknowledging
from stomp_tx.broker.session.backpressure import Backpressure
from stomp_tx.broker.session.commands import commands_of
from stomp_tx.broker.session.giving_back import GivingBack
from stomp_tx.broker.session.handshake import Agreement
from stomp_tx.broker.session.header_warnings import HeaderWarnings
from stomp_tx.broker.session.login import Login
from stomp_tx.broker.session.reading_on import ReadOn
from stomp_tx.broker.session.receipts import Receipts
from stomp_tx.broker.session.reply_to import ReplyTo
from stomp_tx.broker.session.routes import Routes
from stomp_tx.broker.session.sending import Sending
from stomp_tx.broker.session.subscribing import Subscribing
from stomp_tx.broker.session.subscriptions import Subscriptions
from stomp_tx.broker.session.transacting import Transacting
from stomp_tx.broker.session.transactions import Transactions
from stomp_tx.interfaces import IFrameSender, Safe
from stomp_tx.wire.commands import V12
from stomp_tx.wire.frame import Frame

Handler = Callable[[Frame], "Deferred[None] | None"]
"""What a frame does.  When it gives a Deferred, no further frame is read until that fires."""


class Conversation:
    """The parts of one open session.

    names -- the session's own, and what they mean
    handlers -- what the frames that may come do, by command
    """

    __slots__ = (
        "_backpressure",
        "_broker",
        "_giving_back",
        "_login",
        "_routes",
        "_session_id",
        "_subscribing",
        "_subscriptions",
        "_transactions",
        "handlers",
        "names",
    )

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        sender: IFrameSender,
        agreement: Agreement,
        login: Login,
        subscriptions: Subscriptions,
        receipts: Receipts,
        read_on: ReadOn,
        disconnect: Handler,
    ) -> None:
        """``disconnect`` is what DISCONNECT does."""
        self._broker = broker
        self._session_id = session_id
        self._login = login
        self._subscriptions = subscriptions
        dialect = agreement.dialect
        header_warnings = HeaderWarnings(broker, session_id, sender)
        access = Access(broker, login)
        self.names = names = Names(
            broker.settings, agreement.host, session_id, dialect, self._means_bare_topic
        )
        self._transactions = transactions = Transactions(broker.settings, broker.account, login.owner)
        self._routes = routes = Routes(broker, session_id, names, login, access, dialect, subscriptions)
        self._backpressure = Backpressure(broker, subscriptions, sender)
        subscriptions.deliveries.charge_by(partial(broker.shares.charge, login.owner))
        self._giving_back = GivingBack(broker.engine, broker.slices, receipts)
        acknowledging = Acknowledging(broker.engine, subscriptions, transactions, receipts, header_warnings)
        self._subscribing = Subscribing(
            broker,
            session_id,
            sender,
            agreement,
            names,
            access,
            subscriptions,
            receipts,
            header_warnings,
            self._giving_back,
            self.forget_routes,
            read_on,
        )
        sending = Sending(
            broker,
            session_id,
            sender,
            dialect,
            login,
            access,
            routes,
            ReplyTo(broker.temporary_destinations, names, dialect, self._subscribing.subscribe_replies),
            transactions,
            receipts,
            self._backpressure,
            header_warnings,
            read_on,
        )
        transacting = Transacting(
            broker,
            session_id,
            sender,
            transactions,
            routes,
            subscriptions,
            receipts,
            self._backpressure,
            self._giving_back,
            read_on,
        )
        handlers: dict[str, Handler] = {
            "SEND": sending.send,
            "SUBSCRIBE": self._subscribing.subscribe,
            "UNSUBSCRIBE": self._subscribing.unsubscribe,
            "ACK": acknowledging.ack if agreement.version == V12 else acknowledging.ack_named,
            "NACK": acknowledging.nack,
            "BEGIN": transacting.begin,
            "COMMIT": transacting.commit,
            "ABORT": transacting.abort,
            "DISCONNECT": disconnect,
        }
        self.handlers = {command: handlers[command] for command in commands_of(agreement)}

    def _means_bare_topic(self, topic: str) -> bool:
        """Does its name without a prefix mean this topic?  Not to who may do nothing there."""
        may = self._login.user.may
        return self._broker.is_bare_topic(topic) and (may("send", topic) or may("subscribe", topic))

    @property
    def waits_for_room(self) -> bool:
        """Is nothing read until a queue has room again?"""
        return self._backpressure.is_waited_for

    def forget_routes(self) -> None:
        """Ask anew where destinations lead: what was remembered has changed."""
        self._routes.forget()

    def access_changed(self) -> None:
        """Who may do what is different now: ask anew."""
        self._routes.forget()
        self._transactions.access_changed()

    def check_access(self) -> None:
        """Raises AccessDenied when it has what it may not any more."""
        self._subscribing.check_access()

    def end(self) -> Safe:
        """Its subscriptions end, and all that it holds is given back.  None: it is, else when this fires."""
        self._backpressure.end()
        in_flight = self._subscriptions.deliveries.by_ack
        held = list(in_flight.values())
        live = set(self._subscriptions)
        gone: list[Delivery] = []
        for transaction in self._transactions.end_all():
            for delivery in transaction.held():
                (held if delivery[1] in live else gone).append(delivery)
        sources = self._giving_back.hold(self._subscriptions, len(held))
        in_flight.clear()
        self._subscriptions.deliveries.release_all()
        self._subscriptions.end_all()
        self._routes.forget()
        self._giving_back.give_back_now(gone)
        done = self._giving_back.give_back(held, sources)
        self._broker.temporary_destinations.end(self.names)
        self._broker.producers.remove(self._session_id)
        return done
