"""service/configuration.py, from a TOML file and from --set: reader.py, toml_file.py, setting.py."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx import __version__
from stomp_tx.broker.dialects import DIALECTS
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ConfigurationError
from stomp_tx.service import setting as setting_module
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.listing import written
from stomp_tx.service.reader import read
from stomp_tx.service.setting import settings
from stomp_tx.wire.limits import Limits
from tests.scratch import scratch

MANUAL = Path(__file__).parents[2] / "tap-plugin-readme.md"

OTHERS = {  # where "one more" would be refused
    "engine": "other:",
    "broker.versions": ("1.2",),
    "broker.unprefixed": "refuse",
    "broker.slow_topic": "disconnect",
    "broker.unknown_host": "refuse",
    "broker.dialect": "rabbitmq",
    "broker.hosts": ("shop", "test.example.org"),
    "policy.overflow": "drop-oldest",
    "policy.expired": "dead-letter",
    "policy.nack": "drop",
    "policy.dead_letter": "/queue/dead",
    "engine_limits.overflow": "spill",
}


def another(setting):
    """A value of this setting that is right, and not the default."""
    if setting.name in OTHERS:
        return OTHERS[setting.name]
    if setting.kind is bool:
        return not setting.default
    if setting.kind is str:
        return 'it "says" \\ ü'
    if setting.kind == tuple[str, ...]:
        return ("tcp:1", "unix:/a b")
    return setting.default + 1


def manual_table():
    """The settings, as the manual lists them."""
    yield "| setting | default | meaning |"
    yield "| --- | --- | --- |"
    for setting in settings().values():
        default = setting.written(setting.default).replace(__version__, "VERSION")
        yield f"| `{setting.name}` | `{default}` | {setting.meaning.replace('``', '`')} |"


class ConfigurationTests(SynchronousTestCase):
    def file(self, text):
        path = scratch(self) / "stomp.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def refused(self, text, message):
        path = self.file(text)
        error = self.assertRaises(ConfigurationError, read, path)
        self.assertEqual(str(error), message.replace("FILE", path))

    def test_nothing_given_is_all_defaults(self):
        self.assertEqual(read(), Configuration())
        self.assertEqual(read(self.file("")), Configuration())

    def test_sections_become_the_settings_they_are_named_after(self):
        path = self.file(
            'port = ["tcp:1", "tcp:2"]\n'
            "[broker]\nprefetch = 7\nlinger = 2\nlenient = true\n"
            "[limits]\nframe = 99"
        )
        self.assertEqual(
            read(path),
            Configuration(
                port=("tcp:1", "tcp:2"),
                broker=BrokerSettings(prefetch=7, linger=2.0, lenient=True),
                limits=Limits(frame=99),
            ),
        )

    def test_destinations_may_have_a_policy_of_their_own(self):
        path = self.file(
            "[policy]\nttl = 5\nattempts = 2\n"
            '[policy."/queue/orders.*"]\nattempts = 3\n'
            '[policy."/queue/>"]\ndead_letter = "/queue/dead"'
        )
        configured = read(path)
        policies = configured.policies
        self.assertEqual(policies.of("/topic/a"), Policy(ttl=5.0, attempts=2))
        self.assertEqual(policies.of("/queue/a"), Policy(ttl=5.0, attempts=2, dead_letter="/queue/dead"))
        self.assertEqual(policies.of("/queue/orders.eu"), Policy(ttl=5.0, attempts=3))
        self.assertEqual(read(self.file(written(configured))), configured)

    def test_mistakes_in_such_a_policy_are_told(self):
        self.refused(
            '[policy."/queue/a"]\natempts = 3',
            'unknown setting policy.atempts for "/queue/a" in FILE; did you mean policy.attempts?',
        )
        self.refused(
            '[policy."/queue/a"]\nattempts = "x"',
            'policy.attempts for "/queue/a" in FILE must be a whole number, not the string "x"',
        )
        self.refused(
            '[policy."/queue/a"]\nnack = "cry"',
            """in section policy."/queue/a": nack must be one of redeliver, dead-letter, drop, not 'cry'""",
        )
        self.refused(
            '[policy."orders"]\nttl = 1',
            """in section policy."orders": 'orders' is no pattern of destinations""",
        )

    def test_every_setting_has_a_meaning(self):
        self.assertEqual([name for name, setting in settings().items() if not setting.meaning], [])

    def test_every_setting_can_be_written_and_read_back(self):
        lines = []
        for setting in sorted(settings().values(), key=lambda setting: setting.name.count(".")):
            lines.append(f"{setting.name} = {setting.written(another(setting))}")
        configured = read(self.file("\n".join(lines)))
        for setting in settings().values():
            holder = getattr(configured, setting.section) if setting.section else configured
            self.assertEqual(getattr(holder, setting.key), another(setting), setting.name)
        self.assertEqual(read(self.file(written(configured))), configured)

    def test_every_setting_can_be_set_on_the_command_line(self):
        for setting in settings().values():
            value = another(setting)
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            configured = read(None, [f"{setting.name}={text.lower() if setting.kind is bool else text}"])
            holder = getattr(configured, setting.section) if setting.section else configured
            self.assertEqual(getattr(holder, setting.key), value, setting.name)

    def test_defaults_are_written_as_comments(self):
        self.assertEqual(read(self.file(written(Configuration()))), Configuration())
        self.assertIn("\n# Octets of one whole frame.\n#frame = ", written(Configuration()))

    def test_the_command_line_wins(self):
        path = self.file('port = ["tcp:1"]\nengine = "memory:"\n[broker]\nprefetch = 7\nlinger = 1')
        configured = read(path, ["broker.prefetch=8", "broker.prefetch=9", "port=tcp:2"], port=("tcp:3",))
        self.assertEqual(configured.port, ("tcp:3",))
        self.assertEqual((configured.broker.prefetch, configured.broker.linger), (9, 1.0))

    def test_unknown_setting_is_refused_with_the_nearest_one(self):
        self.refused("[limits]\nfram = 1", "unknown setting limits.fram in FILE; did you mean limits.frame?")
        self.refused(
            "[limits]\nprefetch = 1",
            "unknown setting limits.prefetch in FILE; did you mean broker.prefetch?",
        )
        self.refused("prefetch = 1", "unknown setting prefetch in FILE; did you mean broker.prefetch?")
        self.refused("[broker]\nxyzzy = 1", "unknown setting broker.xyzzy in FILE")
        self.refused(
            "[broker.prefetch_]\na = 1",
            "unknown setting broker.prefetch_ in FILE; did you mean broker.prefetch?",
        )

    def test_unknown_section_is_refused_with_the_nearest_one(self):
        self.refused("[limit]\nframe = 1", "unknown section [limit] in FILE; did you mean [limits]?")
        self.refused("[xyzzy]", "unknown section [xyzzy] in FILE")

    def test_section_that_is_none_is_refused(self):
        self.refused("limits = 3", "limits in FILE must be a section, not 3")

    def test_wrong_type_names_what_is_wanted_and_given(self):
        for line, wanted in {
            "prefetch = true": "prefetch in FILE must be a whole number, not true",
            "prefetch = 1.5": "prefetch in FILE must be a whole number, not 1.5",
            'prefetch = "10"': 'prefetch in FILE must be a whole number, not the string "10"',
            "linger = nan": "linger in FILE must be a number, not NaN",
            "linger = inf": "linger in FILE must be a number, not Infinity",
            f"linger = 1{'0' * 400}": f"linger in FILE must be a number, not 1{'0' * 59}",
            "lenient = 1": "lenient in FILE must be true or false, not 1",
            'lenient = "yes"': 'lenient in FILE must be true or false, not the string "yes"',
            "server = 1979-05-27": 'server in FILE must be a string, not the date "1979-05-27"',
            "server = {a = 1}": "server in FILE must be a string, not a table",
            'versions = "1.2"': 'versions in FILE must be a list of strings, not the string "1.2"',
            "versions = [1.2]": "versions in FILE must be a list of strings, not [1.2]",
            "send_buffer = []": 'send_buffer in FILE must be a whole number, or a size like "64 MiB", not []',
        }.items():
            self.refused(f"[broker]\n{line}", f"broker.{wanted}")

    def test_wrong_value_names_its_section(self):
        self.refused("[broker]\nprefetch = 0", "in section broker: prefetch must be at least 1")
        self.refused("[limits]\nframe = 0", "in section limits: limit frame must be at least 1")
        self.refused("port = []", "port must name at least one place to listen")

    def test_what_is_no_toml_is_refused_with_its_line(self):
        path = self.file("a = 1\nb = \n")
        error = self.assertRaises(ConfigurationError, read, path)
        self.assertIn(f"{path} is not TOML: ", str(error))
        self.assertIn("line 2", str(error))
        Path(path).write_bytes(b"a = '\xff'")
        self.assertIn("is not TOML", str(self.assertRaises(ConfigurationError, read, path)))

    def test_file_that_is_not_there(self):
        error = self.assertRaises(ConfigurationError, read, "none.toml")
        self.assertEqual(str(error), "can't read none.toml: No such file or directory")

    def test_sizes_have_units(self):
        for text, octets in {"64 MiB": 64 << 20, "1KiB": 1024, "2 GiB": 2 << 30}.items():
            self.assertEqual(read(self.file(f'[limits]\nframe = "{text}"')).limits.frame, octets)
            self.assertEqual(read(None, [f"limits.frame={text}"]).limits.frame, octets)
        for text in ("64 MB", "MiB", "-1 KiB", "1.5 GiB", "64"):
            self.assertRaises(ConfigurationError, read, self.file(f'[limits]\nframe = "{text}"'))

    def test_assignments_are_refused_like_the_file(self):
        for assignment, message in {
            "limits.fram=1": "unknown setting limits.fram after --set; did you mean limits.frame?",
            "limits.frame": "--set limits.frame has no value",
            "broker.prefetch=ten": 'broker.prefetch after --set must be a whole number, not the string "ten"',
            "broker.linger=nan": 'broker.linger after --set must be a number, not the string "nan"',
            "broker.lenient=1": 'broker.lenient after --set must be true or false, not the string "1"',
            "broker.versions=": "in section broker: versions must be some of 1.0, 1.1, 1.2",
        }.items():
            error = self.assertRaises(ConfigurationError, read, None, [assignment])
            self.assertEqual(str(error), message)

    def test_meanings_may_be_missing_with_the_source(self):
        def no_source(cls):
            raise OSError("could not get source code")

        self.patch(setting_module.inspect, "getsource", no_source)
        settings.cache_clear()
        self.addCleanup(settings.cache_clear)
        self.assertEqual(settings()["limits.frame"].meaning, "")
        self.assertEqual(read(None, ["limits.frame=7"]).limits.frame, 7)

    def test_the_manual_lists_every_setting(self):
        table = "\n".join(manual_table())
        self.assertIn(table, MANUAL.read_text(encoding="utf-8"), f"its table should be:\n\n{table}\n")

    def test_the_manual_lists_what_dialects_change(self):
        names = list(DIALECTS)
        lines = [f"| setting | {' | '.join(f'`{name}`' for name in names)} |"]
        lines += ["|" + " --- |" * (len(names) + 1)]
        for setting in settings().values():
            if setting.is_dialects:
                values = [
                    setting.written(getattr(DIALECTS[name], setting.key)).replace(__version__, "VERSION")
                    for name in names
                ]
                lines.append(f"| `{setting.name}` | {' | '.join(f'`{value}`' for value in values)} |")
        table = "\n".join(lines)
        manual = MANUAL.read_text(encoding="utf-8")
        self.assertIn(f"{table}\n\n", manual, f"its table should be:\n\n{table}\n")
