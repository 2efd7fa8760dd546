"""Sends: messages that were sent, until the broker has them safe."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from stomp_tx.client.codecs import Codecs
from stomp_tx.client.session.outgoing import Heads, check_body
from stomp_tx.client.session.session import ClientSession
from stomp_tx.wire import frames
from stomp_tx.wire.commands import V12
from stomp_tx.wire.headers import Headers, texts


class Send:
    """One SEND, until the broker has it safe.

    name -- what the broker knows it by when it comes again
    size -- bytes of its body
    """

    __slots__ = (
        "answer",
        "body",
        "content_length",
        "content_type",
        "destination",
        "headers",
        "name",
        "size",
        "written",
    )

    def __init__(
        self,
        name: str,
        destination: str,
        body: bytes,
        content_type: str | None,
        headers: Headers | None,
        content_length: bool,
    ) -> None:
        self.name = name
        self.destination = destination
        self.body = body
        self.size = len(body)
        self.content_type = content_type
        self.headers = headers
        self.content_length = content_length
        self.answer: Deferred[None] | None = None
        self.written = False

    def write(self, session: ClientSession, transaction: str | None = None) -> Deferred[None]:
        """Say it, as a part of that transaction or by itself; fires when it is safe."""
        return session.outgoing.send(
            self.destination,
            self.body,
            self.content_type,
            self.headers,
            receipt=True,
            transaction=transaction,
            content_length=self.content_length,
            name=self.name,
        )


class ReplayedSends:
    """A transaction's SENDs, which are said all at once, COMMIT included."""

    __slots__ = ("answer", "name", "sends", "size", "written")

    def __init__(self, name: str, sends: Sequence[Send]) -> None:
        self.name = name
        self.sends = sends
        self.size = sum(one.size for one in sends)
        self.answer: Deferred[None] | None = None
        self.written = False

    def write(self, session: ClientSession) -> Deferred[None]:
        """Say all of it; fires when it is safe.

        Each frame asks for a receipt: an ERROR names what it is about then.
        """
        outgoing = session.outgoing
        id = outgoing.new_transaction()
        said = [outgoing.perform(frames.begin(id), True)]
        said += [one.write(session, id) for one in self.sends]
        if any(isinstance(getattr(one, "result", None), Failure) for one in said):
            said.append(outgoing.perform(frames.abort(id)))  # it can't be said in this version
        else:
            said.append(outgoing.perform(frames.commit(id), True))
        all_said: Deferred[list[None]] = gatherResults(said, consumeErrors=True)
        return all_said.addCallbacks(lambda _: None, lambda failure: failure.value.subFailure)


class SendFactory:
    """Makes Sends of what users send, each with a name that no other has, in any process.

    codecs -- of the bodies
    """

    def __init__(self, codecs: Codecs, random: Random) -> None:
        self._codecs = codecs
        self._heads = Heads()
        self._prefix = f"{random.getrandbits(96):024x}"
        self._count = 0

    def new_name(self) -> str:
        """A name for a Send, or for several that belong together."""
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def new(
        self,
        destination: str,
        body: Any,
        content_type: str | None,
        headers: Headers | None,
        content_length: bool,
    ) -> Send:
        """What is sent is encoded now: the user may change it afterwards.

        Raises FrameError for what no protocol version can say, and whatever a codec of the user's raises.
        """
        if type(body) is not bytes:
            body, content_type = self._codecs.body_of(body, content_type)
        given = texts(headers) if headers else None
        self._heads.of(destination, content_type, given, V12)  # what no version can say fails here
        check_body(body, content_length)
        return Send(self.new_name(), destination, body, content_type, given, content_length)
