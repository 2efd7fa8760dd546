"""broker/policy.py, names.py, handshake.py: rules without state."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.dialects import AUTO
from stomp_tx.broker.headers.subscribe import prefetch
from stomp_tx.broker.names import Names
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.session.handshake import agree
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ConfigurationError, ProtocolViolation
from stomp_tx.wire.frame import Frame


class PrefetchTests(SynchronousTestCase):
    def test_each_dialect_s_header_counts_and_zero_is_the_most(self) -> None:
        settings = BrokerSettings(prefetch=7, prefetch_max=100)
        self.assertEqual(prefetch({}, settings), 7)
        self.assertEqual(prefetch({"prefetch-count": "5"}, settings), 5)
        self.assertEqual(prefetch({"activemq.prefetchSize": "5"}, settings), 5)
        self.assertEqual(prefetch({"prefetch-count": "0"}, settings), 100)
        self.assertEqual(prefetch({"prefetch-count": "101"}, settings), 100)

    def test_what_is_no_number_is_refused(self) -> None:
        for text in ("", "-1", "+5", "1.5", "x", "٣", "1" * 16):
            with self.assertRaises(ProtocolViolation):
                prefetch({"prefetch-count": text}, BrokerSettings())


class RedeliveryTests(SynchronousTestCase):
    def test_delays_grow_up_to_the_most(self) -> None:
        redelivery = Policy(nack_delay=0.5, redelivery_delay_max=3.0).redelivery
        self.assertEqual([redelivery.wait(n) for n in (1, 2, 3, 4)], [(0, 0.5), (0, 1.0), (0, 2.0), (0, 3.0)])
        self.assertEqual(redelivery.wait(10**9), (0.0, 3.0))
        redelivery = Policy(redelivery_delay=1.0, redelivery_multiplier=3.0, nack_delay=2.0).redelivery
        self.assertEqual([redelivery.wait(n) for n in (1, 2, 5)], [(1.0, 2.0), (3.0, 6.0), (30.0, 30.0)])


class AddressTests(SynchronousTestCase):
    def test_known_prefixes_are_the_address(self) -> None:
        for name in ("/queue/a", "/topic/a.b", "/queue/a/b c", "/queue/ä"):
            self.assertEqual(Names(BrokerSettings()).address_of(name), name)

    def test_names_that_are_none_are_refused(self) -> None:
        for name in (None, "", "/queue/", "/topic/", "/queue/a\0b", "/queue/a\nb", "/queue/" + "x" * 2000):
            with self.assertRaises(ProtocolViolation):
                Names(BrokerSettings()).address_of(name)


class AgreementTests(SynchronousTestCase):
    def heart_beat(self, text: str) -> tuple[str, float, float]:
        frame = Frame("CONNECT", {"accept-version": "1.2", "host": "x", "heart-beat": text})
        agreement = agree(frame, BrokerSettings(), AUTO)
        return agreement.heart_beat, agreement.sending, agreement.receiving

    def test_heart_beats_mirror_the_client_down_to_the_floor(self) -> None:
        """STOMP 1.2, "Heart-beating": max of what one can send and the other wants."""
        self.assertEqual(self.heart_beat("0,0"), ("0,0", 0.0, 0.0))
        self.assertEqual(self.heart_beat("500,1000"), ("1000,500", 1.0, 0.5))
        self.assertEqual(self.heart_beat("1,1"), ("500,500", 0.5, 0.5))
        self.assertEqual(self.heart_beat("0,2000"), ("2000,0", 2.0, 0.0))
        self.assertEqual(self.heart_beat(" 3000 , 0 "), ("0,3000", 0.0, 3.0))

    def test_a_1_0_client_s_padding_is_trimmed_and_a_1_2_client_s_kept(self) -> None:
        old = agree(Frame("CONNECT", {"login": " ann "}), BrokerSettings(), AUTO)
        self.assertEqual((old.version, old.headers["login"]), ("1.0", "ann"))
        new = agree(Frame("CONNECT", {"accept-version": "1.2", "login": " ann "}), BrokerSettings(), AUTO)
        self.assertEqual(new.headers["login"], " ann ")


class SettingsTests(SynchronousTestCase):
    def test_values_that_make_no_sense_are_refused_by_name(self) -> None:
        for name, value in (
            ("unprefixed", "quue"),
            ("slow_topic", "cry"),
            ("prefetch", 0),
            ("linger", -1.0),
            ("versions", ("2.0",)),
            ("versions", ()),
        ):
            with self.assertRaisesRegex(ConfigurationError, name):
                BrokerSettings(**{name: value})
