"""tests/counting.py: the measure that tests of cost rely on."""

from twisted.trial.unittest import SynchronousTestCase

from tests.counting import lines_run


def squares(count: int) -> int:
    total = 0
    for number in range(count):
        total += number * number
    return total


class CountingTests(SynchronousTestCase):
    def test_ten_times_the_rounds_are_ten_times_the_lines(self) -> None:
        few, many = lines_run(lambda: squares(100)), lines_run(lambda: squares(1000))
        self.assertGreater(few, 200)
        self.assertEqual(many - few, 2 * 900)

    def test_the_same_call_always_counts_the_same(self) -> None:
        self.assertEqual(lines_run(lambda: squares(50)), lines_run(lambda: squares(50)))
