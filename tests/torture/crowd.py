"""Crowd: who works with the broker, and where."""

from __future__ import annotations

from random import Random

from tests.torture.ledger import Ledger, Place
from tests.torture.workload import Clerk, Client, Consumer, Producer, Way

ANY = (Way.CUT, Way.UNSUBSCRIBE, Way.DISCONNECT)
ORDERLY = (Way.UNSUBSCRIBE, Way.DISCONNECT)  # what it held is back before it comes back


def crowd(ledger: Ledger, random: Random) -> list[Client]:
    """Everybody; ``ledger`` gets to know the places."""
    letters = Place("/queue/DLQ.refused")
    plain = Place("/queue/plain")
    ordered = Place("/queue/ordered", ordered=True)
    lossy = Place("/queue/lossy", lossy=True)
    refused = Place("/queue/refused", letters=letters)
    orders = Place("/queue/orders")
    invoices = Place("/queue/invoices")
    always = Place("/topic/news", "always", ordered=True)
    shared = Place("/topic/news", "shared")
    ended = Place("/topic/news", "ended")
    ledger.places = [plain, ordered, lossy, refused, letters, orders, invoices, always, shared, ended]

    def producer(who: str, destination: str, plain: bool = False) -> Client:
        return Producer(who, ledger, Random(random.random()), destination, plain=plain)

    def consumer(who: str, place: Place, *ways: Way, refuses: float = 0.0) -> Client:
        return Consumer(who, ledger, Random(random.random()), place, ways, refuses=refuses)

    def clerk(who: str, place: Place, *destinations: str) -> Client:
        return Clerk(who, ledger, Random(random.random()), place, ANY, destinations)

    return [
        producer("ann", "/queue/plain"),
        producer("bob", "/queue/plain"),
        producer("cyd", "/queue/ordered", plain=True),
        producer("dan", "/queue/lossy"),
        producer("eve", "/queue/refused"),
        producer("fay", "/queue/orders"),
        producer("gus", "/topic/news", plain=True),
        producer("hal", "/topic/news"),
        consumer("ida", plain, *ANY, refuses=0.1),
        consumer("jon", plain, *ANY, refuses=0.1),
        consumer("kay", ordered, *ORDERLY),
        consumer("lee", lossy, *ANY),
        consumer("mia", refused, *ANY, refuses=0.6),
        consumer("ned", refused, refuses=0.6),
        consumer("oda", letters, *ANY),
        clerk("pat", orders, "/queue/invoices", "/queue/orders"),
        clerk("quy", orders, "/queue/invoices", "/queue/plain"),
        consumer("ray", invoices, *ANY),
        consumer("sue", always, Way.DISCONNECT),
        consumer("tom", shared, Way.CUT, Way.DISCONNECT, refuses=0.1),
        consumer("uma", shared, Way.CUT, Way.DISCONNECT),
        consumer("vic", ended, *ANY),
    ]
