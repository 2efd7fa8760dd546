"""A broker's address in one word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock

from stomp_tx.client.endpoint import endpoint_from_string
from stomp_tx.client.url import BrokerURL
from stomp_tx.errors import ConfigurationError


@pytest.mark.parametrize(
    "url, endpoint, login, passcode, host",
    [
        ("stomp://broker.example", "tcp:broker.example:61613", None, None, None),
        ("stomp://ann@broker.example:1234/vhost", "tcp:broker.example:1234", "ann", None, "vhost"),
        ("stomp://ann:sec%40ret@a", "tcp:a:61613", "ann", "sec@ret", None),
        ("stomp+tls://a:61614/%2F", "tls:a:61614", None, None, "/"),
        ("stomps://a", "tls:a:61613", None, None, None),
        ("stomp+ssl://a/", "tls:a:61613", None, None, None),
        ("stomp://[::1]:1", "tcp:\\:\\:1:1", None, None, None),
        ("stomp+unix:///run/a:b.sock", "unix:/run/a\\:b.sock", None, None, None),
        ("stomp+unix://ann@/run/a", "unix:/run/a", "ann", None, None),
        ("tcp:a:1", "tcp:a:1", None, None, None),
        ("tls:a:1:timeout=3", "tls:a:1:timeout=3", None, None, None),
    ],
)
def test_what_it_says(url: str, endpoint: str, login: object, passcode: object, host: object) -> None:
    found = BrokerURL.parse(url)
    assert (found.endpoint, found.login, found.passcode, found.host) == (endpoint, login, passcode, host)
    endpoint_from_string(MemoryReactorClock(), found.endpoint)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "http://a",
        "stomp://a:b:c",
        "stomp://a:99999",
        "stomp://a?x=y",
        "stomp://a#b",
        "stomp://[a",
        "stomp://a..b",
    ],
)
def test_what_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError):
        BrokerURL.parse(url)


@pytest.mark.parametrize(
    "url, right",
    [
        ("localhost:61613", "stomp://localhost:61613"),
        ("127.0.0.1:61614", "stomp://127.0.0.1:61614"),
        ("broker.example", "stomp://broker.example"),
        ("[::1]:61613", "stomp://[::1]:61613"),
        ("ann@broker.example:61613", "stomp://ann@broker.example:61613"),
        ("61613", "stomp://127.0.0.1:61613"),
    ],
)
def test_what_to_write_is_said(url: str, right: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BrokerURL.parse(url)
    assert str(caught.value) == f"{url!a} is no URL of a broker: write {right}"
    BrokerURL.parse(right)


@pytest.mark.parametrize("url", ["stomp://a:99999", "stomp://a:0", "stomp://a:x", "stomp+tls://a:65536"])
def test_the_range_of_ports_is_said(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BrokerURL.parse(url)
    assert "a port is a number from 1 to 65535" in caught.value.detail


@given(st.text())
def test_whatever_it_is_it_is_one_or_none(text: str) -> None:
    for url in (text, f"stomp://{text}", f"stomp+unix://{text}"):
        try:
            BrokerURL.parse(url)
        except ConfigurationError:
            pass


@pytest.mark.parametrize("url", ["stomp://ann:secret#1@h", "stomp://ann:1@h:secret", "stomp://ann:secret?@h"])
def test_a_passcode_in_what_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BrokerURL.parse(url)
    assert "secret" not in f"{caught.value.summary} {caught.value.detail}"


def test_a_passcode_is_not_shown() -> None:
    assert "secret" not in repr(BrokerURL.parse("stomp://ann:secret@a"))
