"""wildcards.py: which patterns a name matches."""

import itertools
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.wildcards import Patterns, covers, is_pattern, overlap
from tests.counting import lines_run


def matches(pattern: str, name: str) -> bool:
    patterns: Patterns[str] = Patterns()
    patterns.add(pattern, "it")
    return patterns.matching(name) == ["it"]


class LanguageTests(SynchronousTestCase):
    def test_a_star_is_exactly_one_word(self) -> None:
        for name, expected in {"a": False, "a.b": True, "a.c": True, "a.b.c": False, "b.b": False}.items():
            self.assertEqual(matches("a.*", name), expected, name)
        self.assertTrue(matches("*.b.*", "a.b.c"))
        self.assertFalse(matches("*.b.*", "b.c"))

    def test_a_hash_is_any_words_wherever_it_stands(self) -> None:
        for pattern, names in {
            "a.#": ("a", "a.b", "a.b.c"),
            "#.c": ("c", "b.c", "a.b.c", "c.c"),
            "a.#.c": ("a.c", "a.b.c", "a.c.c", "a.b.b.c"),
            "a.#.*": ("a.b", "a.b.c"),
            "#": ("a", "a.b"),
            "#.b.#": ("b", "a.b", "b.a", "a.b.a", "b.b"),
        }.items():
            for name in names:
                self.assertTrue(matches(pattern, name), (pattern, name))
        for pattern, name in (("a.#", "b"), ("#.c", "a.b"), ("a.#.c", "a"), ("a.#.*", "a"), ("#.b.#", "a")):
            self.assertFalse(matches(pattern, name), (pattern, name))

    def test_activemq_s_is_the_same(self) -> None:
        for name in ("a", "a.b", "a.b.c"):
            self.assertTrue(matches("a.>", name), name)
        self.assertTrue(matches(">", "a.b"))
        self.assertTrue(matches("a.>.c", "a.b.c"))
        self.assertFalse(matches("a.>.c", "a.b"))

    def test_both_separators_mean_the_same(self) -> None:
        for pattern, name in (("a/*", "a.b"), ("a.*", "a/b"), ("a.b/#", "a/b.c"), ("a.b", "a/b")):
            self.assertTrue(matches(pattern, name), (pattern, name))

    def test_a_wildcard_is_a_whole_word(self) -> None:
        for pattern in ("a*", "a#.b", "x>", "**", "a.b*"):
            self.assertFalse(is_pattern(pattern), pattern)
            self.assertTrue(matches(pattern, pattern), pattern)
            self.assertFalse(matches(pattern, "ab"), pattern)
        for address in ("*", "/topic/a.*", "/queue/>", "/topic/#/b", "a.>.b"):
            self.assertTrue(is_pattern(address), address)

    def test_words_may_be_empty(self) -> None:
        self.assertTrue(matches("a.*", "a."))
        self.assertTrue(matches("a..b", "a/.b"))
        self.assertFalse(matches("a.*", "a.."))

    def test_what_looks_like_a_wildcard_in_a_name_is_a_word(self) -> None:
        self.assertTrue(matches("a.*", "a.#"))
        self.assertFalse(matches("a.b", "a.*"))


class IndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patterns: Patterns[int] = Patterns()

    def test_each_value_comes_once_for_each_of_its_patterns(self) -> None:
        for pattern in ("a.*", "a.#", "a.>", "a.b"):
            self.patterns.add(pattern, 1)
            self.patterns.add(pattern, 1)
        self.assertEqual(len(self.patterns), 3)  # two of them are the same
        self.assertEqual(self.patterns.matching("a.b"), [1, 1, 1])

    def test_what_was_removed_is_not_found(self) -> None:
        self.patterns.add("a.#", 1)
        self.patterns.add("a.#", 2)
        self.patterns.remove("a/>", 1)
        self.assertEqual(self.patterns.matching("a.b"), [2])
        self.assertEqual(len(self.patterns), 1)

    def test_removing_what_is_not_there_is_an_error(self) -> None:
        self.patterns.add("a.*.b", 1)
        for pattern, value in (("a.*", 1), ("a.*.b", 2), ("x", 1), ("a.*.b.c", 1), ("a.#", 1)):
            with self.assertRaises(KeyError):
                self.patterns.remove(pattern, value)
        self.assertEqual(len(self.patterns), 1)

    def test_nothing_is_left_of_what_was_removed(self) -> None:
        pairs = [(f"{a}.{i % 3}.{b}", i) for i in range(50) for a in "a*#" for b in "b*#"]
        for pair in pairs:
            self.patterns.add(*pair)
        for pair in pairs:
            self.patterns.remove(*pair)
        self.assertEqual(len(self.patterns), 0)
        self.assertTrue(self.patterns._root.is_empty)

    def test_a_match_costs_the_same_among_a_hundred_thousand_patterns(self) -> None:
        forms = ("stock.x{0}.s{1}.#", "stock.*.s{1}", "region{1}.>", "a.{1}.*.c", "stock.y{1}.*.z")

        def cost_of_a_match() -> int:
            self.assertEqual(self.patterns.matching("stock.x5.s5"), [5])
            return lines_run(lambda: self.patterns.matching("stock.x5.s5"))

        for number in range(1000):
            self.patterns.add(forms[number % 5].format(number % 50, number), number)
        few = cost_of_a_match()
        for number in range(1000, 100_000):
            self.patterns.add(forms[number % 5].format(number % 50, number), number)
        self.assertEqual(len(self.patterns), 100_000)
        self.assertLess(cost_of_a_match(), 2 * few)

    def test_hostile_patterns_cost_their_words_times_the_name_s(self) -> None:
        name = ".".join("a" * 512)
        hostile = [".".join(words * 250) for words in ("##", "#*", "#a", "*#a", ["#", "a", "a"])]
        for number, pattern in enumerate(hostile):
            self.patterns.add(pattern, number)
        self.assertEqual(sorted(self.patterns.matching(name)), [0, 1, 2, 3, 4])
        words = sum(len(pattern.split(".")) for pattern in hostile)
        self.assertLess(lines_run(lambda: self.patterns.matching(name)), 20 * 512 * words)


words = st.sampled_from(["a", "b", "", "*", "#", ">"])
names = st.lists(words, min_size=1, max_size=6)
separators = st.lists(st.sampled_from("./"), min_size=6, max_size=6)


def written(words: list[str], separators: list[str]) -> str:
    return words[0] + "".join(map("".join, zip(separators, words[1:], strict=False)))


def naively_matches(pattern: list[str], name: list[str]) -> bool:
    @cache
    def rest_matches(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(name)
        if pattern[at] in ("#", ">"):
            return rest_matches(at + 1, place) or (place < len(name) and rest_matches(at, place + 1))
        return place < len(name) and pattern[at] in ("*", name[place]) and rest_matches(at + 1, place + 1)

    return rest_matches(0, 0)


class PropertyTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.tuples(names, separators, st.booleans()), max_size=12), names, separators)
    def test_those_match_that_match_one_by_one(self, entries, name, name_separators) -> None:
        """Also when others have been removed."""
        patterns: Patterns[tuple[int, str]] = Patterns()
        texts = [written(pattern, separators) for pattern, separators, _ in entries]
        for pair in enumerate(texts):
            patterns.add(pair[1], pair)
        kept = [pair for pair, (_, _, stays) in zip(enumerate(texts), entries, strict=True) if stays]
        for pair in enumerate(texts):
            if pair not in kept:
                patterns.remove(pair[1], pair)
        expected = [pair for pair in kept if naively_matches(entries[pair[0]][0], name)]
        self.assertEqual(sorted(patterns.matching(written(name, name_separators))), expected)
        self.assertEqual(len(patterns), len(kept))


class CoverTests(SynchronousTestCase):
    """Two patterns, compared by the names that they match."""

    NAMES = tuple(".".join(words) for n in (1, 2, 3, 4) for words in itertools.product("ab", repeat=n))
    PATTERNS = tuple(".".join(words) for n in (1, 2, 3) for words in itertools.product("ab*#", repeat=n))

    def setUp(self) -> None:
        self.matched = {}
        for pattern in self.PATTERNS:
            one: Patterns[int] = Patterns()
            one.add(pattern, 1)
            self.matched[pattern] = {name for name in self.NAMES if one.matching(name)}

    def test_they_overlap_when_there_is_a_name_that_both_match(self) -> None:
        for one, other in itertools.product(self.PATTERNS, repeat=2):
            both = self.matched[one] & self.matched[other]
            self.assertEqual(overlap(one, other), bool(both), (one, other))

    def test_one_covers_another_only_if_it_matches_all_the_same_names(self) -> None:
        for one, other in itertools.product(self.PATTERNS, repeat=2):
            if covers(one, other):
                self.assertLessEqual(self.matched[other], self.matched[one], (one, other))

    def test_what_people_write_is_covered(self) -> None:
        for one, other in (
            ("a.>", "a"),
            ("a.>", "a.b.c"),
            ("a.>", "a.*"),
            ("a.>", "a.#.c"),
            ("a/*", "a.b"),
            ("*.b", "a.b"),
            ("*.*", "a.*"),
            (">", "a.>"),
            ("#.b", "a.*.b"),
        ):
            self.assertTrue(covers(one, other), (one, other))
