"""Selectors: long ones, that take long to parse (part of 4f)."""

from __future__ import annotations

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]


def long_selector(number: int, characters: int = 4000) -> str:
    """Parentheses and short operands: the most work for each character."""
    text = f"a={number}"
    while len(text) < characters:
        text += f" OR a{len(text) % 7}*2+1>{number}"
    return text


class Selectors(Case):
    """20 connections SUBSCRIBE with selectors of 4,000 characters, each another one, and UNSUBSCRIBE"""

    name = "4f-selectors"

    def run(self, load: Load) -> None:
        clients = load.connected(HOSTILE)
        for which, client in enumerate(clients):
            topic = f"/topic/{HOSTILE[which]}.s"
            for number in range(self.count(50)):
                selector = long_selector(1000 * which + number)
                client.says(frames.subscribe("s", topic, selector=selector), frames.unsubscribe("s"))
        load.goes_on(10.0 if self.scale == 1 else 0.2)
        self.claim("said", True, f"ERRORs: {sum(len(one.errors) for one in clients)}")
