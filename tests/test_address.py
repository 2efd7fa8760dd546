"""address.py: what an address says of its destination."""

from __future__ import annotations

import pytest

from stomp_tx.address import is_address, is_bound, is_topic, lane_of, split, within

PARTS = [
    ("", "/queue/", "a"),
    ("", "/topic/", "a/b.c"),
    ("", "/temp-queue/", "1f/a"),
    ("", "/dsub/", "of/a/b"),
    ("shop", "/queue/", "a"),
    ("shop", "/topic/", "/a"),
    ("shop", "/temp-topic/", "1f/a"),
    ("shop", "/dsub/", "of/a/b"),
]


@pytest.mark.parametrize("parts", PARTS)
def test_what_is_put_together_comes_apart(parts: tuple[str, str, str]) -> None:
    host, kind, name = parts
    assert split(within(host, kind + name)) == parts


@pytest.mark.parametrize("parts", PARTS)
def test_what_is_an_address_and_what_is_none(parts: tuple[str, str, str]) -> None:
    address = within(parts[0], parts[1] + parts[2])
    assert is_address(address)
    assert is_address(lane_of(address, 9))
    for broken in (address[1:], f"/px{address}", f"/p{address}", address.replace(parts[1], "/x/"), "", "/"):
        assert not is_address(broken), broken


@pytest.mark.parametrize("parts", PARTS)
def test_the_kind_says_what_it_is(parts: tuple[str, str, str]) -> None:
    host, kind, name = parts
    address = within(host, kind + name)
    assert is_topic(address) == (kind in ("/topic/", "/temp-topic/"))
    assert is_bound(address) == (kind == "/dsub/")
