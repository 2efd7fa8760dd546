"""The listing of settings says where each value comes from, and can be read back."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.listing import written
from stomp_tx.service.reader import read
from tests.scratch import scratch


class ListingTests(SynchronousTestCase):
    def file(self, text, name="stomp.toml"):
        path = scratch(self) / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def line_of(self, key, configuration):
        """The line of the listing that sets it, or says what it is."""
        lines = written(configuration).splitlines()
        [found] = [line for line in lines if line.lstrip("#").startswith(f"{key} = ")]
        return found

    def test_each_value_says_where_it_comes_from(self):
        path = self.file("[broker]\nprefetch = 7\nsubscriptions = 5\n[policy]\nttl = 3")
        configured = read(path, ["broker.subscriptions=6", "broker.dialect=rabbitmq"], engine="memory:")
        for key, line in (
            ("linger", "#linger = 5.0  # default"),
            ("unprefixed", '#unprefixed = "refuse"  # dialect rabbitmq'),
            ("ttl", f"ttl = 3.0  # {path}"),
            ("subscriptions", "subscriptions = 6  # --set"),
            ("engine", 'engine = "memory:"  # --engine'),
            ("dialect", 'dialect = "rabbitmq"  # --set'),
        ):
            self.assertEqual(self.line_of(key, configured), line)

    def test_what_is_set_is_so_although_it_is_the_default(self):
        """It may be that of one dialect and not of another; and it stays when a later version has another."""
        path = self.file('[broker]\ndialect = "rabbitmq"\nunprefixed = "queue"')
        configured = read(path)
        self.assertEqual(self.line_of("unprefixed", configured), f'unprefixed = "queue"  # {path}')
        again = read(self.file(written(configured), "again.toml"))
        self.assertEqual(again, configured)
        self.assertEqual(again.broker.unprefixed, "queue")

    def test_what_a_dialect_says_is_not_set_by_it(self):
        for dialect in ("auto", "rabbitmq", "activemq", "artemis"):
            configured = Configuration(broker=BrokerSettings(dialect=dialect))
            self.assertEqual(read(self.file(written(configured))), configured)

    def test_ports_with_a_dialect_of_their_own_are_told(self):
        listing = written(Configuration(port=("tcp:1", "rabbitmq:tcp:2", "auto:tcp:3")))
        self.assertIn('\n# At port rabbitmq:tcp:2: "refuse"\n#unprefixed = "queue"  # default\n', listing)
        self.assertNotIn("auto:tcp:3:", listing)
        set_for_all = written(read(None, ["broker.unprefixed=queue"], port=("rabbitmq:tcp:2",)))
        self.assertIn('dialect has it.\nunprefixed = "queue"  # --set\n', set_for_all)

    def test_of_a_pattern_s_policy_too(self):
        path = self.file('[policy."/queue/a"]\nttl = 3')
        self.assertIn(f'[policy."/queue/a"]\nttl = 3.0  # {path}\n', written(read(path)))

    def test_a_file_s_name_is_no_setting(self):
        path = self.file("[broker]\nprefetch = 7", "a\nlenient = true")
        self.assertFalse(read(self.file(written(read(path)))).broker.lenient)
