"""wire/headers.py: what programs may give for the text that a header is."""

from enum import Enum, IntEnum
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import FrameError
from stomp_tx.wire.headers import texts


class Priority(IntEnum):
    HIGH = 9


class Colour(str, Enum):
    RED = "red"


class TextsTests(SynchronousTestCase):
    def test_numbers_and_booleans_become_what_stomp_writes(self) -> None:
        given = {"a": "x", "priority": 9, "persistent": True, "retry": False, "n": -1, "none": None}
        self.assertEqual(
            texts(given), {"a": "x", "priority": "9", "persistent": "true", "retry": "false", "n": "-1"}
        )

    def test_enumerations_are_what_they_stand_for(self) -> None:
        self.assertEqual("".join(texts({"a": Priority.HIGH, "b": Colour.RED}).values()), "9red")

    def test_it_is_a_copy(self) -> None:
        given = {"a": "x"}
        texts(given)["a"] = "y"
        self.assertEqual(given, {"a": "x"})

    def test_anything_else_is_refused_by_its_name_and_type(self) -> None:
        for value, kind in ((1.5, "float"), (b"1", "bytes"), ([], "list"), (object(), "object")):
            wrong: Any = {"good": "1", "bad": value}
            with self.assertRaises(FrameError) as raised:
                texts(wrong)
            self.assertEqual(
                str(raised.exception), f"the header 'bad' can't be sent: its value is of type {kind}"
            )

    def test_names_are_text(self) -> None:
        wrong: Any = {5: "x"}
        with self.assertRaisesRegex(FrameError, "the name of a header is text, not int: 5"):
            texts(wrong)

    def test_they_are_a_mapping(self) -> None:
        for wrong in ([("a", "b")], "a:b", {"a"}):
            given: Any = wrong
            with self.assertRaisesRegex(FrameError, "a mapping of names to values, not (list|str|set)"):
                texts(given)
