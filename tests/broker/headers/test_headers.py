"""broker/dialect/ and policy.py: what headers and patterns mean, whatever is written in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.address import BOUND
from stomp_tx.broker.headers.send import UNUSUAL, keeping_of
from stomp_tx.broker.headers.subscribe import durable_of, prefetch, redelivery_of
from stomp_tx.broker.headers.values import number
from stomp_tx.broker.policy import Policies, Policy, compiled
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ConfigurationError, ProtocolViolation
from stomp_tx.message import PERSISTENT, Keeping

NOW = 1_700_000_000_000


def holds_for(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test is run with very many of these; however busy the machine is."""
    return lambda test: settings(max_examples=100, deadline=None)(given(*strategies)(test))


numbers = st.integers(0, 10**15 - 1)
texts = st.one_of(
    numbers.map(str), st.text(max_size=20), st.sampled_from(["", "-1", "1.5", " 1", "\u0663", "0x1"])
)
seconds = st.floats(0, 1e7, allow_nan=False)
policies = st.builds(
    Policy,
    ttl=seconds,
    ttl_max=seconds,
    attempts=st.integers(0, 50),
    redelivery_delay=seconds,
    redelivery_multiplier=st.floats(1, 100),
    redelivery_delay_max=seconds,
    nack_delay=seconds,
)


class NumberTests(SynchronousTestCase):
    @holds_for(texts)
    def test_digits_are_a_number_and_all_else_is_refused(self, text: str) -> None:
        if re.fullmatch(r"[0-9]{1,15}", text):
            self.assertEqual(number({"n": text}, "n"), int(text))
        else:
            with self.assertRaisesRegex(ProtocolViolation, "malformed n header"):
                number({"n": text}, "n")

    def test_without_the_header_there_is_none(self) -> None:
        self.assertIsNone(number({"m": "1"}, "n"))

    @holds_for(numbers, numbers)
    def test_prefetch_is_never_more_than_the_most_nor_none(self, count: int, most: int) -> None:
        limits = BrokerSettings(prefetch_max=max(most, 1))
        for header in ("prefetch-count", "activemq.prefetchSize"):
            found = prefetch({header: str(count)}, limits)
            self.assertTrue(1 <= found <= limits.prefetch_max)
            if 0 < count <= limits.prefetch_max:
                self.assertEqual(found, count)


class KeepingTests(SynchronousTestCase):
    """How a message is to be kept."""

    def keeping(self, policy: Policy | None = None, **headers: str) -> Keeping | None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return keeping_of(named, policy or Policy(), lambda: NOW)

    def test_the_usual(self) -> None:
        self.assertIsNone(self.keeping())
        self.assertIs(self.keeping(persistent="true"), PERSISTENT)
        self.assertIs(self.keeping(persistent="True"), PERSISTENT)
        for other in ("false", "1", "", "yes"):
            self.assertIsNone(self.keeping(persistent=other), other)

    def test_nobody_looks_at_the_clock_for_it(self) -> None:
        def clock() -> int:
            raise AssertionError("asked for the time")

        keeping_of({"persistent": "true", "x": "1"}, Policy(), clock)

    def test_names(self) -> None:
        self.assertEqual(self.keeping(message_dedupe_id="x"), Keeping(False, 0, "x"))
        found = keeping_of({"_AMQ_DUPL_ID": "y", "persistent": "true"}, Policy(), lambda: NOW)
        self.assertEqual(found, Keeping(True, 0, "y"))
        self.assertIsNone(self.keeping(message_dedupe_id=""))

    @holds_for(
        st.dictionaries(
            st.sampled_from(["expires", "ttl", "expiration", "persistent", "message-dedupe-id", "x"]), texts
        ),
        policies,
    )
    def test_whatever_is_said_it_is_kept_within_the_policy_or_refused(
        self, headers: dict[str, str], policy: Policy
    ) -> None:
        try:
            found = keeping_of(headers, policy, lambda: NOW)
        except ProtocolViolation as error:
            self.assertTrue(any(name in error.summary for name in ("expires", "ttl", "expiration")))
            return
        expires = 0 if found is None else found.expires
        self.assertEqual(found is not None and found.persistent, headers.get("persistent") == "true")
        self.assertEqual(None if found is None else found.dedupe, headers.get("message-dedupe-id") or None)
        if policy.ttl_max:
            self.assertTrue(0 < expires <= NOW + 1000 * policy.ttl_max)
        said = next(
            (number(headers, name) for name in ("expires", "ttl", "expiration") if name in headers), None
        )
        if said and not policy.ttl_max:
            self.assertEqual(expires, said if "expires" in headers else NOW + said)
        if said is None and not policy.ttl and not policy.ttl_max:
            self.assertEqual(expires, 0)

    @holds_for(st.dictionaries(st.text(max_size=12), st.text(max_size=12)))
    def test_a_header_that_is_not_unusual_changes_nothing(self, headers: dict[str, str]) -> None:
        assume(UNUSUAL.isdisjoint(headers))
        self.assertIsNone(keeping_of(headers, Policy(), lambda: NOW))


class RedeliveryTests(SynchronousTestCase):
    """What a SUBSCRIBE may ask for."""

    names = ("redelivery-attempts", "redelivery-delay", "redelivery-multiplier", "redelivery-delay-max")

    @holds_for(st.dictionaries(st.sampled_from(names), numbers.map(str)), policies, st.integers(0, 10**6))
    def test_it_stays_within_the_policy(self, headers: dict[str, str], policy: Policy, attempts: int) -> None:
        found, bounds = redelivery_of(headers, policy), policy.redelivery
        if bounds.attempts:
            self.assertTrue(1 <= found.attempts <= bounds.attempts)
        anybody, same = found.wait(attempts)
        self.assertTrue(0 <= anybody <= same <= max(bounds.delay_max, same if not headers else 0))
        self.assertLessEqual(anybody, bounds.delay_max)
        self.assertLessEqual(found.delay_max, bounds.delay_max)
        self.assertTrue(1 <= found.multiplier <= 100)

    @holds_for(policies)
    def test_who_does_not_ask_gets_the_policy_s(self, policy: Policy) -> None:
        self.assertEqual(redelivery_of({"x": "1"}, policy), policy.redelivery)

    @holds_for(policies, st.integers(1, 1000))
    def test_delays_only_grow(self, policy: Policy, attempts: int) -> None:
        now, later = policy.redelivery.wait(attempts), policy.redelivery.wait(attempts + 1)
        self.assertTrue(now[0] <= later[0] and now[1] <= later[1])

    @holds_for(texts, st.sampled_from(names))
    def test_what_is_no_number_is_refused(self, text: str, name: str) -> None:
        assume(not re.fullmatch(r"[0-9]{1,15}", text))
        with self.assertRaisesRegex(ProtocolViolation, f"malformed {name} header"):
            redelivery_of({name: text}, Policy())


class DurableTests(SynchronousTestCase):
    """The name of a durable subscription."""

    names = st.one_of(st.text(min_size=1, max_size=8), st.text("a/%2F.:", min_size=1, max_size=4))

    @holds_for(st.tuples(st.none() | names, names), st.tuples(st.none() | names, names))
    def test_two_names_are_two_queues(
        self, one: tuple[str | None, str], other: tuple[str | None, str]
    ) -> None:
        queues = []
        for client_id, name in (one, other):
            found = durable_of({"durable-subscription": name}, "/topic/t", "1", client_id)
            assert found is not None
            self.assertTrue(found.queue.startswith(BOUND))
            queues.append(found.queue)
        self.assertEqual(queues[0] == queues[1], one == other)

    @holds_for(names, names, names, names)
    def test_so_it_is_with_rabbitmq_s(self, id: str, topic: str, other_id: str, other_topic: str) -> None:
        assume("," not in topic + other_topic)  # that would be several
        queues = []
        for subscription, name in ((id, topic), (other_id, other_topic)):
            found = durable_of({"durable": "true"}, f"/topic/{name}", subscription, None)
            assert found is not None
            queues.append(found.queue)
        self.assertEqual(queues[0] == queues[1], (id, topic) == (other_id, other_topic))

    @holds_for(names, names, names)
    def test_the_dialects_with_a_client_id_mean_one_thing(self, client_id: str, name: str, id: str) -> None:
        found = {
            durable_of({header: name}, "/topic/t", id, client_id)
            for header in (
                "durable-subscription",
                "durable-subscription-name",
                "durable-subscriber-name",
                "activemq.subscriptionName",
            )
        }
        self.assertEqual(len(found), 1)

    def test_which_word_counts(self) -> None:
        headers = {"activemq.subscriptionName": "3", "durable-subscription": "1", "durable": "true"}
        found = durable_of(headers, "/topic/t", "1", "c")
        assert found is not None
        self.assertEqual(found.name, "1")
        self.assertIsNone(durable_of({"durable-subscription": ""}, "/topic/t", "1", "c"))
        self.assertIsNone(durable_of({"durable": "yes", "persistent": "false"}, "/topic/t", "1", None))


words = st.text("ab-_", min_size=1, max_size=4)
dotted = st.lists(words, min_size=1, max_size=4).map(".".join)
kinds = st.sampled_from(["/queue/", "/topic/"])


class PatternTests(SynchronousTestCase):
    """Which policy is a destination's."""

    @holds_for(kinds, dotted)
    def test_a_name_matches_itself_and_nothing_else(self, kind: str, name: str) -> None:
        pattern = compiled(kind + name)
        self.assertIsNotNone(pattern.fullmatch(kind + name))
        for other in (
            f"{kind}{name}x",
            f"{kind}{name}.x",
            f"x{kind}{name}",
            kind + name.replace(".", "x") + ".",
        ):
            self.assertIsNone(pattern.fullmatch(other))

    @holds_for(kinds, st.lists(words, min_size=1, max_size=4), st.data())
    def test_a_star_is_one_word(self, kind: str, parts: list[str], data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(parts) - 1))
        pattern = compiled(kind + ".".join([*parts[:place], "*", *parts[place + 1 :]]))
        for word, matches in (("anything", True), ("a.b", False), ("a/b", False), ("", False)):
            name = kind + ".".join([*parts[:place], word, *parts[place + 1 :]])
            self.assertEqual(pattern.fullmatch(name) is not None, matches, name)

    @holds_for(kinds, dotted, st.text(min_size=1, max_size=8))
    def test_the_end_is_all_the_rest(self, kind: str, name: str, rest: str) -> None:
        self.assertIsNotNone(compiled(f"{kind}{name}.>").fullmatch(f"{kind}{name}.{rest}"))
        self.assertIsNone(compiled(f"{kind}{name}.>").fullmatch(f"{kind}{name}"))
        self.assertIsNotNone(compiled(f"{kind}>").fullmatch(f"{kind}{rest}"))

    @holds_for(st.text(max_size=12), kinds | st.just(""))
    def test_any_other_text_is_refused_or_understood(self, text: str, kind: str) -> None:
        try:
            pattern = compiled(kind + text)
        except ConfigurationError:
            self.assertTrue(not kind or not text or text[0] == "\n" or ">" in text[:-1])
        else:
            if not {"*", ">"} & set(text):
                self.assertIsNotNone(pattern.fullmatch(kind + text))

    def test_the_one_that_says_most_counts(self) -> None:
        named = {
            name: Policy(attempts=number)
            for number, name in enumerate(
                ["/queue/>", "/queue/a.>", "/queue/a.*", "/queue/a.b", "/queue/*.b", "/topic/>"], 1
            )
        }
        for patterns in (list(named.items()), list(named.items())[::-1]):
            policies = Policies(Policy(attempts=99), patterns)
            for address, attempts in (
                ("/queue/x", 1),
                ("/queue/a.x.y", 2),
                ("/queue/a.b", 4),
                ("/queue/x.b", 5),
                ("/topic/a.b", 6),
                ("/other/a", 99),
            ):
                self.assertEqual(policies.of(address).attempts, attempts, address)

    def test_values_that_make_no_sense_are_refused_by_name(self) -> None:
        for name, value in (
            ("ttl", -1.0),
            ("ttl_max", -0.1),
            ("expired", "burn"),
            ("attempts", -1),
            ("attempts_lost", -1),
            ("nack", "cry"),
            ("redelivery_delay", -1.0),
            ("redelivery_multiplier", 0.5),
            ("redelivery_multiplier", 101.0),
            ("redelivery_delay_max", -1.0),
            ("nack_delay", -1.0),
            ("dead_letter", "/topic/x"),
            ("dead_letter", "DLQ"),
            ("dead_letter", "/queue/"),
            ("dead_letter", "/queue/a\nb"),
        ):
            with self.assertRaisesRegex(ConfigurationError, name):
                Policy(**{name: value})
