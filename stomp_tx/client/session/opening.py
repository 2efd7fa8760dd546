"""Opening: from an endpoint to a session that the broker has answered."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from stomp_tx.client.event_loop import Run
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.settings import ClientSettings
from stomp_tx.errors import ConnectTimeout, NoConnection
from stomp_tx.protocol import StompFrameProtocol


def open_session(
    endpoint: IStreamClientEndpoint,
    named: str | None,
    settings: ClientSettings,
    clock: IReactorTime,
    run: Run,
) -> Deferred[ClientSession]:
    """A new session that the broker has answered with CONNECTED.

    named -- the host that the endpoint is to, if that is known
    run -- runs users' coroutines

    Fails as ``connect`` does.  Raises FrameError for what can't be sent in CONNECT.
    """
    session = ClientSession(settings, clock, run, named)
    session.handshake.connect_frame().encode()  # what can't be sent is known before there is a connection
    opening = Deferred.fromCoroutine(_open(endpoint, session, settings, clock))
    if settings.connect_timeout is not None:
        too_late = ConnectTimeout(f"no CONNECTED within {settings.connect_timeout:g} seconds")
        opening.addTimeout(settings.connect_timeout, clock, lambda failure, seconds: Failure(too_late))
    return opening


async def _open(
    endpoint: IStreamClientEndpoint, session: ClientSession, settings: ClientSettings, clock: IReactorTime
) -> ClientSession:
    try:
        await endpoint.connect(_OneConnection(session, settings, clock))
    except ConnectingCancelledError:
        raise CancelledError from None
    except (ConnectError, OSError) as error:
        raise NoConnection(str(error).rstrip(".")) from error
    await session.ready
    return session


class _OneConnection(Factory):
    """Builds the protocol of one session."""

    noisy = False

    def __init__(self, session: ClientSession, settings: ClientSettings, clock: IReactorTime) -> None:
        self._session = session
        self._settings = settings
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> StompFrameProtocol:
        settings = self._settings
        protocol = StompFrameProtocol(
            self._session,
            clock=self._clock,
            limits=settings.limits,
            grace=settings.heart_beat_grace,
            keepalive=settings.keepalive(),
            reads_on=True,
        )
        protocol.factory = self
        return protocol
