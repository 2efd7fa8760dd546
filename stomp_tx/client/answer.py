"""Answer: the Deferred that a client's operations return."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.errors import ConnectionLost

T = TypeVar("T")


class Answer(Deferred[T]):
    """A Deferred that may fail with ConnectionLost unseen.

    One lost connection may fail thousands of them, and not everybody waits for each SEND: nobody having
    looked is no "Unhandled error in Deferred" then.  The loss itself is logged once, and told by
    ``when_closed``.  Any other failure is reported as usual.
    """

    def __del__(self) -> None:
        result = getattr(self, "result", None)
        if isinstance(result, Failure) and result.check(ConnectionLost):
            self.addErrback(lambda _: None)


def failed(error: Exception) -> Deferred[Any]:
    """A Deferred that has failed already."""
    answer: Answer[Any] = Answer()
    answer.errback(Failure(error))
    return answer
