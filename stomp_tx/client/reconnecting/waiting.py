"""Waiting: those who wait for a connection."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.client.client import StompClient
from stomp_tx.client.deferred import ClientDeferred


class Waiting:
    """Each is told once: of the next client, or why there is none.

    Whoever is told may wait again at once: for what comes after.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Deferred[StompClient], int | None]] = []

    def wait(self, most: int | None) -> Deferred[StompClient]:
        """Fires with the client.

        most -- so many failed attempts in a row, and it fails; None: any number
        """
        waiting: Deferred[StompClient] = ClientDeferred(self._wait_no_more)
        self._waiting.append((waiting, most))
        return waiting

    def take_all(self) -> list[Deferred[StompClient]]:
        """Take out all of them: without those who ask again while they are told."""
        waiting, self._waiting = self._waiting, []
        return [one for one, _ in waiting]

    def impatient(self, failures: int) -> list[Deferred[StompClient]]:
        """Those for whom so many failed attempts are enough."""
        return [one for one, most in self._waiting if most is not None and failures >= most]

    def fail(self, impatient: list[Deferred[StompClient]], error: Exception) -> None:
        """They are told, but for those who were told of something else meanwhile."""
        for one in impatient:
            if not one.called:
                self._wait_no_more(one)
                one.errback(Failure(error))

    def _wait_no_more(self, waiting: Deferred[StompClient]) -> None:
        self._waiting = [one for one in self._waiting if one[0] is not waiting]
