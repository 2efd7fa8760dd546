"""What tests of selectors say of messages."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.selector.selector import compiled
from stomp_tx.message import Message


def message(headers: dict[str, str]) -> Message:
    return Message("7-1", "/queue/shown", "/queue/a", headers, b"", 100)


def matches(text: str, **headers: str) -> bool:
    return compiled(text).matches(message(headers))


class SelectorTestCase(SynchronousTestCase):
    def assertMatches(self, *texts: str, **headers: str) -> None:
        for text in texts:
            self.assertTrue(matches(text, **headers), f"{text} of {headers}")

    def assertFalsehoods(self, *texts: str, **headers: str) -> None:
        """No match, and their negation is one."""
        for text in texts:
            self.assertFalse(matches(text, **headers), f"{text} of {headers}")
            self.assertTrue(matches(f"NOT ({text})", **headers), f"NOT ({text}) of {headers}")

    def assertUnknown(self, *texts: str, **headers: str) -> None:
        """No match, and neither is their negation."""
        for text in texts:
            self.assertFalse(matches(text, **headers), f"{text} of {headers}")
            self.assertFalse(matches(f"NOT ({text})", **headers), f"NOT ({text}) of {headers}")

    def assertEnds(self, text: str, **headers: str) -> None:
        compiled(text).matches(message(headers))
