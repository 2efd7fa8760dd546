"""client/settings.py, and the other things that are said when a client is made: what is wrong is named."""

from __future__ import annotations

import itertools
from inspect import signature
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.client import ClientSettings, Retry, StompClientService, connect
from stomp_tx.errors import ConfigurationError
from stomp_tx.testing import MemoryBroker

PLACE = "tcp:127.0.0.1:61613"
NAN = float("nan")


class SettingsTests(SynchronousTestCase):
    def refused(self, **wrong: Any) -> ConfigurationError:
        """Said by ``connect`` and StompClientService alike."""
        reactor = MemoryReactorClock()
        failed = self.failureResultOf(connect(PLACE, reactor=reactor, **wrong), ConfigurationError).value
        with self.assertRaises(ConfigurationError) as raised:
            StompClientService(PLACE, reactor=reactor, **wrong)
        self.assertEqual(reactor.tcpClients, [])
        said = str(failed).replace("connect()", "StompClientService")
        self.assertEqual(said, str(raised.exception))
        return raised.exception

    def test_a_name_that_there_is_not_is_told_with_the_nearest(self) -> None:
        for wrong, right in (
            ("loggin", "login"),
            ("password", "passcode"),
            ("heartbeat_ms", "heart_beat_ms"),
            ("cafile", "ca_file"),
        ):
            error = self.refused(**{wrong: "x"})
            self.assertEqual(str(error), f"StompClientService has no setting {wrong}: did you mean {right}?")
        error = self.refused(colour="red")
        self.assertEqual(str(error), "StompClientService has no setting colour")
        self.assertIn("there are ca_file, codecs, ", error.detail)

    def test_those_of_a_service_are_known_too(self) -> None:
        wrong: Any = {"on_conected": print}
        with self.assertRaisesRegex(ConfigurationError, "did you mean on_connected?"):
            StompClientService(PLACE, reactor=MemoryReactorClock(), **wrong)

    def test_a_value_of_another_type_is_told_by_its_name(self) -> None:
        for wrong, said in (
            ({"login": 5}, "login must be text, or None, not int"),
            ({"passcode": b"open sesame"}, "passcode must be text, or None, not bytes"),
            ({"host": 5}, "host must be text, or None, not int"),
            ({"versions": "1.2"}, "versions must be several versions, as in ('1.1', '1.2'), not str"),
            ({"heart_beat_ms": 1000}, "heart_beat_ms must be two numbers of milliseconds"),
            ({"heart_beat_ms": (1.5, 2)}, "heart_beat_ms must be two whole numbers of milliseconds"),
            ({"heart_beat_ms": (1, 2, 3)}, "heart_beat_ms must be two whole numbers of milliseconds"),
            ({"heart_beat_grace": "2"}, "heart_beat_grace must be a number, not str"),
            ({"tcp_keepalive": "60"}, "tcp_keepalive must be a whole number, not str"),
            ({"connect_timeout": "5"}, "connect_timeout must be a number of seconds, or None, not str"),
            (
                {"connect_timeout": float("inf")},
                "connect_timeout must be a number of seconds, or None, not",
            ),
            (
                {"receipt_timeout": NAN},
                "receipt_timeout must be a number of seconds, or None, not",
            ),
            ({"disconnect_timeout": float("inf")}, "disconnect_timeout must be a number of seconds, not inf"),
            ({"heart_beat_grace": NAN}, "heart_beat_grace must be a number, not nan"),
            ({"receipt_timeout": True}, "receipt_timeout must be a number of seconds, or None, not bool"),
            ({"disconnect_timeout": None}, "disconnect_timeout must be a number of seconds, not None"),
            ({"codecs": {}}, "codecs must be a Codecs, not dict"),
            ({"limits": 5}, "limits must be a Limits, not int"),
            ({"headers": [("a", "b")]}, "headers must be a mapping of names to values, not list"),
            ({"headers": {"client-id": 1.5}}, "the header 'client-id' can't be sent: its value is of type"),
        ):
            error = self.refused(**wrong)
            self.assertIn(said, str(error))
            self.assertNotIn("sesame", f"{error} {error.detail}")

    def test_headers_of_connect_may_be_numbers(self) -> None:
        broker = MemoryBroker()
        self.assertTrue(broker.client(headers={"client-id": 7, "x": True}).connected)

    def test_of_a_service(self) -> None:
        for wrong, said in (
            ({"window": "x"}, "window must be a whole number, not str"),
            ({"window_octets": None}, "window_octets must be a whole number, not None"),
            ({"connect_within": "x"}, "connect_within must be a number of seconds, or None, not str"),
            (
                {"connect_within": NAN},
                "connect_within must be a number of seconds, or None, not nan",
            ),
            ({"retry": 5}, "retry must be a Retry, or None, not int"),
            ({"credentials": "ann"}, "credentials must be a function, or None, not str"),
            ({"on_lost": 5}, "on_lost must be a function, or None, not int"),
        ):
            arguments: dict[str, Any] = wrong
            with self.assertRaises(ConfigurationError) as raised:
                StompClientService(PLACE, reactor=MemoryReactorClock(), **arguments)
            self.assertEqual(str(raised.exception), said)

    def test_no_client_gives_up_while_the_broker_may_still_let_it_in(self) -> None:
        timeout = ClientSettings().connect_timeout
        within = signature(StompClientService.__init__).parameters["connect_within"].default
        assert timeout is not None
        self.assertGreaterEqual(timeout, BrokerSettings().login_wait + 10)
        self.assertGreaterEqual(within, timeout + 10)

    def test_of_retry(self) -> None:
        names = ("initial", "factor", "maximum", "jitter", "attempts")
        wrong: Any
        for name, wrong in itertools.product(names, ("1", NAN, float("inf"))):
            with self.assertRaisesRegex(ConfigurationError, f"retry: {name} must be a"):
                Retry(**{name: wrong})

    def test_credentials_are_two(self) -> None:
        failed: list[Exception] = []
        service = MemoryBroker().service(
            credentials=lambda: "ann", on_failed=lambda reason, attempt: failed.append(reason)
        )
        service.startService()
        self.assertEqual(
            [str(one) for one in failed], ["credentials must give two, a login and a passcode, not str"]
        )
        service.stopService()
