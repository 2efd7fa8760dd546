"""acl.py: who may do what where."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import PERMISSIONS, AccessList, Role, grant
from stomp_tx.errors import ConfigurationError
from stomp_tx.wildcards import Patterns


def roles(*allow: str, deny: tuple[str, ...] = ()) -> AccessList:
    return AccessList((Role("r", users=("ann",), allow=allow, deny=deny),))


class AccessListTests(SynchronousTestCase):
    def allows(self, access: AccessList, permission: str, address: str, user: str = "ann") -> bool:
        return access.may(user, (), permission, address)

    def test_without_roles_everybody_may_do_everything(self) -> None:
        for permission in PERMISSIONS:
            self.assertTrue(AccessList().may("anybody", (), permission, "/queue/a"))

    def test_without_roles_where_there_should_be_some_nobody_may_do_anything(self) -> None:
        access = AccessList()
        access.become(AccessList(closed=True))
        for permission in PERMISSIONS:
            self.assertFalse(access.may("anybody", (), permission, "/queue/a"))

    def test_what_no_grant_matches_is_denied(self) -> None:
        access = roles("send /queue/a")
        self.assertTrue(self.allows(access, "send", "/queue/a"))
        for permission, address, user in (
            ("subscribe", "/queue/a", "ann"),
            ("send", "/queue/b", "ann"),
            ("send", "/topic/a", "ann"),
            ("send", "/queue/a.b", "ann"),
            ("send", "/queue/A", "ann"),
            ("send", "/queue/a", "bob"),
            ("send", "/queue/a", ""),
        ):
            self.assertFalse(self.allows(access, permission, address, user), (permission, address, user))

    def test_users_groups_and_everybody(self) -> None:
        access = AccessList(
            (
                Role("clerk", users=("ann",), groups=("office", "crew"), allow=("send /queue/a",)),
                Role("guest", users=("*",), allow=("subscribe /topic/news",)),
            ),
            {"office": ("bob",)},
        )
        self.assertTrue(access.may("ann", (), "send", "/queue/a"))
        self.assertTrue(access.may("bob", (), "send", "/queue/a"))
        self.assertTrue(access.may("eve", ("crew",), "send", "/queue/a"))
        self.assertFalse(access.may("eve", ("cre",), "send", "/queue/a"))
        self.assertFalse(access.may("office", (), "send", "/queue/a"))
        self.assertTrue(access.may("anonymous", (), "subscribe", "/topic/news"))

    def test_the_most_specific_grant_decides(self) -> None:
        access = roles("all >", "send /queue/a.b.c", deny=("send /queue/a.>", "all /topic/secret"))
        for address, allowed in (
            ("/queue/z", True),
            ("/queue/a.b", False),
            ("/queue/a", False),
            ("/queue/a.b.c", True),
            ("/queue/a.b.d", False),
            ("/topic/secret", False),
            ("/topic/secrets", True),
        ):
            self.assertEqual(self.allows(access, "send", address), allowed, address)
        self.assertTrue(self.allows(access, "subscribe", "/queue/a.b"))

    def test_deny_wins_a_tie_in_whatever_role_it_stands(self) -> None:
        for order in itertools.permutations(
            (
                Role("one", users=("ann",), allow=("send /queue/a.*",)),
                Role("two", users=("ann",), deny=("send /queue/a.*",)),
            )
        ):
            self.assertFalse(AccessList(tuple(order)).may("ann", (), "send", "/queue/a.b"))

    def test_virtual_hosts(self) -> None:
        access = roles("send //shop/queue/a", "subscribe /queue/a", deny=("subscribe //lab/queue/>",))
        self.assertTrue(self.allows(access, "send", "//shop/queue/a"))
        self.assertFalse(self.allows(access, "send", "/queue/a"))
        self.assertFalse(self.allows(access, "send", "//lab/queue/a"))
        self.assertTrue(self.allows(access, "subscribe", "/queue/a"))
        self.assertTrue(self.allows(access, "subscribe", "//shop/queue/a"))
        # A grant without a wildcard is more specific than any with one.
        self.assertTrue(self.allows(access, "subscribe", "//lab/queue/a"))

    def test_a_grant_for_one_host_is_more_specific_than_one_for_all(self) -> None:
        access = roles("send //shop/queue/a.*", deny=("send /queue/a.*",))
        self.assertTrue(self.allows(access, "send", "//shop/queue/a.b"))
        self.assertFalse(self.allows(access, "send", "/queue/a.b"))
        self.assertFalse(self.allows(access, "send", "//lab/queue/a.b"))

    def test_hosts_are_those_of_the_broker_in_whatever_case(self) -> None:
        for host in ("shop", "Shop", "SHOP"):
            access = roles("all >", deny=(f"all //{host}/queue/secret",))
            for address in ("//shop/queue/secret", "//Shop/queue/secret"):
                self.assertFalse(self.allows(access, "send", address), (host, address))
            self.assertTrue(self.allows(access, "send", "//shop/queue/Secret"))
            self.assertTrue(self.allows(access, "send", "/queue/secret"))

    def test_the_users_own(self) -> None:
        access = AccessList((Role("own", users=("*",), allow=("all /queue/box.{user}.>",)),))
        self.assertTrue(access.may("ann", (), "send", "/queue/box.ann.in"))
        self.assertFalse(access.may("ann", (), "send", "/queue/box.bob.in"))
        self.assertFalse(access.may("ann", (), "send", "/queue/box.{user}.in"))

    def test_a_name_is_one_word(self) -> None:
        access = AccessList(
            (
                Role("own", users=("*",), allow=("all /topic/{user}.>",)),
                Role("not", users=("*",), deny=("send /topic/{user}.{user}",)),
            )
        )
        for user, word in (("ann", "ann"), ("ann.b", "ann%2Eb"), ("a/b", "a%2Fb"), ("a%2Eb", "a%252Eb")):
            self.assertTrue(access.may(user, (), "subscribe", f"/topic/{word}.>"), user)
            self.assertTrue(access.may(user, (), "send", f"/topic/{word}.x"), user)
            self.assertFalse(access.may(user, (), "send", f"/topic/{word}.{word}"), user)
        for address in ("/topic/ann.b.in", "/topic/ann/b/in", "/topic/ann.b.>"):
            self.assertFalse(access.may("ann.b", (), "subscribe", address), address)
        self.assertFalse(access.may("ann", (), "subscribe", "/topic/ann%2Eb.in"))

    def test_a_name_with_wildcards_in_it_gets_nobody_anywhere(self) -> None:
        access = AccessList((Role("own", users=("*",), allow=("all /queue/box.{user}",)),))
        for name in (">", "*", "#", "a.>", "*.b", "ann/*"):
            for address in ("/queue/box.ann", "/queue/box.ann.b", f"/queue/box.{name}", "/queue/box.>"):
                self.assertFalse(access.may(name, (), "subscribe", address), (name, address))

    def test_a_pattern_is_allowed_when_all_that_it_matches_is(self) -> None:
        access = roles("subscribe /topic/a.>", deny=("subscribe /topic/a.secret.*",))
        for address, allowed in (
            ("/topic/a.b.>", True),
            ("/topic/a.*", True),
            ("/topic/a.>", False),
            ("/topic/a.*.*", False),
            ("/topic/a.secret", True),
            ("/topic/a.#.x", False),
            ("/topic/>", False),
            ("/topic/#", False),
            ("/topic/*.b", False),
        ):
            self.assertEqual(self.allows(access, "subscribe", address), allowed, address)

    def test_what_is_its_connections_own_needs_no_permission(self) -> None:
        access = roles("send /queue/a")
        for address in ("/temp-queue/abc/x", "/temp-topic/abc/x", "/shared//s"):
            self.assertTrue(self.allows(access, "send", address))

    def test_it_changes_while_it_is_used(self) -> None:
        access = roles("send /queue/a")
        access.become(roles("send /queue/b"))
        self.assertFalse(self.allows(access, "send", "/queue/a"))
        self.assertTrue(self.allows(access, "send", "/queue/b"))

    def test_what_grants_nothing_is_refused(self) -> None:
        for text, words in (
            ("", "grants nothing"),
            ("send", "grants nothing"),
            ("sned /queue/a", "no permission 'sned'"),
            (", /queue/a", "no permission"),
            ("send queue/a", "no pattern"),
            ("send /queue/", "no pattern"),
            ("send /temp-queue/a", "no pattern"),
        ):
            error = self.assertRaises(ConfigurationError, grant, text, allow=True)
            self.assertIn(words, str(error), text)
        self.assertRaises(ConfigurationError, Role, "r", deny=("nothing",))


words = st.lists(st.sampled_from(["a", "b", "*", ">"]), min_size=1, max_size=3).map(".".join)
names = [".".join(some) for n in (1, 2, 3, 4) for some in itertools.product("ab", repeat=n)]


@given(st.lists(words, max_size=4), st.lists(words, max_size=3), words)
def test_a_pattern_never_shows_what_a_name_would_not(allow: list[str], deny: list[str], asked: str) -> None:
    """Whoever may subscribe to a pattern may subscribe to every name that it matches."""
    access = roles(
        *(f"subscribe /topic/{one}" for one in allow), deny=tuple(f"subscribe /topic/{one}" for one in deny)
    )
    if access.may("ann", (), "subscribe", f"/topic/{asked}"):
        matching: Patterns[int] = Patterns()
        matching.add(asked, 1)
        for name in names:
            if matching.matching(name):
                assert access.may("ann", (), "subscribe", f"/topic/{name}"), name
