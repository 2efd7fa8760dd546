import contextlib
import io
from weakref import WeakSet

from twisted.application.service import IService, IServiceMaker
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase, TestCase

from stomp_tx import __version__
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import server
from stomp_tx.net.tls.development_certificates import Authority
from stomp_tx.net.tls.server import ServerContext
from stomp_tx.service.components import checkers_of
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.early_signals import EarlySignalsService
from stomp_tx.service.engine import EngineService
from stomp_tx.service.interpreter import InterpreterService
from stomp_tx.service.port import PortService
from stomp_tx.service.process import CannotStart
from stomp_tx.service.reload import ReloadService
from stomp_tx.service.sessions import SessionsService
from stomp_tx.service.systemd import NotifyService
from stomp_tx.tap import Options, makeService, warn_of
from tests.scratch import scratch


def parsed(*arguments):
    options = Options()
    options.parseOptions(arguments)
    return options


def printed(*arguments):
    """What these arguments make it print, before it ends with exit code 0."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        parsed(*arguments)
        raise AssertionError("it went on")
    return out.getvalue()


class WarningTests(SynchronousTestCase):
    """What is odd about who gets in is said at the start."""

    def warnings(self, *arguments):
        lines = []
        log = Logger(observer=lines.append)
        warn_of(checkers_of(parsed(*arguments)["configuration"]), log)
        return [line["log_format"] for line in lines]

    def test_everybody_is_let_in(self):
        for arguments in (("--allow-anonymous",), ("--auth", "anonymous")):
            (line,) = self.warnings(*arguments)
            self.assertIn("everybody may connect", line)
        self.assertEqual(self.warnings(), [])

    def test_nobody_can_show_a_certificate(self):
        self.patch(server, "_in_use", WeakSet())
        (line,) = self.warnings("--auth", "certificate")
        self.assertIn("needs a port stomps:", line)
        folder = scratch(self) / "certs"
        Authority(str(folder)).server()
        files = {"privateKey": f"{folder}/server.key", "certKey": f"{folder}/server.pem"}
        plain = ServerContext(**files)
        self.assertEqual(len(self.warnings("--auth", "certificate")), 1)
        asking = ServerContext(**files, ca=f"{folder}/ca.pem")
        self.assertEqual(self.warnings("--auth", "certificate"), [])
        del plain, asking


class OptionsTests(SynchronousTestCase):
    def configured(self, *arguments):
        return parsed(*arguments)["configuration"]

    def refused(self, *arguments):
        return str(self.assertRaises(CannotStart, parsed, *arguments))

    def test_nothing_given_is_all_defaults(self):
        self.assertEqual(self.configured(), Configuration())
        self.assertEqual(self.configured().port, ("tcp:61613:interface=127.0.0.1",))

    def test_ports_add_up(self):
        self.assertEqual(self.configured("--port", "tcp:1", "-p", "tcp:2").port, ("tcp:1", "tcp:2"))

    def test_the_command_line_wins_over_the_file(self):
        path = scratch(self) / "stomp.toml"
        path.write_text('port = ["tcp:1"]\n[broker]\nprefetch = 7\nlinger = 1')
        got = self.configured("-c", str(path), "-p", "tcp:2", "--set", "broker.prefetch=8", "-e", "memory:")
        self.assertEqual((got.port, got.broker.prefetch, got.broker.linger), (("tcp:2",), 8, 1.0))

    def test_what_is_wrong_is_one_line(self):
        self.assertEqual(self.refused("-c", "none"), "stomp: can't read none: No such file or directory")
        self.assertEqual(
            self.refused("--set", "limits.fram=1"),
            "stomp: unknown setting limits.fram after --set; did you mean limits.frame?",
        )
        self.assertEqual(
            self.refused("--prot", "tcp:1"), "stomp: option --prot not recognized: see twistd stomp --help"
        )
        self.assertEqual(
            self.refused("tcp:1"), "stomp: what is 'tcp:1'?: a place to listen is written after --port"
        )

    def test_settings_are_printed_as_they_are_set(self):
        self.assertIn("\nprefetch = 8  # --set\n", printed("--settings", "--set", "broker.prefetch=8"))

    def test_checkers_of_the_command_line_win_over_the_file(self):
        path = scratch(self) / "stomp.toml"
        path.write_text('auth = ["certificate"]\nallow_anonymous = true')
        got = self.configured("-c", str(path))
        self.assertEqual((got.auth, got.allow_anonymous), (("certificate",), True))
        got = self.configured("-c", str(path), "--auth", "certificate:dns", "--auth", "anonymous")
        self.assertEqual(got.auth, ("certificate:dns", "anonymous"))
        self.assertTrue(self.configured("--allow-anonymous").allow_anonymous)

    def test_who_finds_out_who_connects(self):
        for arguments, kinds in (
            ((), ["LocalChecker"]),
            (("--allow-anonymous",), ["AllowAnonymousAccess"]),
            (("--auth", "certificate"), ["CertificateChecker"]),
            (
                ("--auth", "memory:ann:secret", "--auth", "certificate", "--allow-anonymous"),
                ["InMemoryUsernamePasswordDatabaseDontUse", "CertificateChecker", "AllowAnonymousAccess"],
            ),
        ):
            found = [type(one).__name__ for one in checkers_of(self.configured(*arguments))]
            self.assertEqual(found, kinds)

    def test_checkers_that_can_not_be(self):
        for description, words in (
            ("foo", "--help-auth"),
            ("passwd:/nowhere", "stomp-tx passwd add"),
            ("memory:ann", "memory:ann"),
        ):
            configuration = self.configured("--auth", description)
            error = self.assertRaises(ConfigurationError, checkers_of, configuration)
            self.assertIn(words, f"{error}: {error.detail}")

    def test_help_auth_lists_ours(self):
        out = io.StringIO()
        self.patch(Options, "authOutput", out)
        self.assertRaises(SystemExit, parsed, "--help-auth")
        for name in ("passwd", "jwt", "certificate", "ldap"):
            self.assertRegex(out.getvalue(), rf"(?m)^ +{name}\s")

    def test_version_is_ours(self):
        self.assertIn(f"stomp-tx {__version__}, Twisted ", printed("--version"))

    def test_help(self):
        for option in ("--help", "-h"):
            self.assertIn("ssl:61617", printed(option))


class Client(Protocol):
    """Says CONNECT; gathers what comes until the connection ends."""

    def __init__(self):
        self.heard = b""
        self.connected_, self.ended = Deferred(), Deferred()

    def connectionMade(self):
        self.transport.write(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0")

    def dataReceived(self, data):
        if not self.heard:
            self.connected_.callback(None)
        self.heard += data

    def connectionLost(self, reason):
        self.ended.callback(None)


class ServiceTests(TestCase):
    def make(self, *arguments):
        service = makeService(parsed(*arguments))
        self.patch(reactor, "_exitSignal", None)  # of the tests' own process
        return service

    def test_plugin_is_found(self):
        (plugin,) = (plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "stomp")
        self.assertEqual((plugin.options, plugin.makeService), (Options, makeService))

    def test_map_of_the_process(self):
        service = self.make(
            "-p", "tcp:1", "-p", "tcp:2", "--set", "limits.frame=7", "--set", "broker.linger=1"
        )
        self.assertTrue(IService.providedBy(service))
        self.assertEqual(
            [type(one) for one in service],
            [
                EarlySignalsService,
                InterpreterService,
                EngineService,
                SessionsService,
                ReloadService,
                PortService,
                PortService,
                NotifyService,
            ],
        )

    def test_nothing_is_made_of_what_can_not_be_used(self):
        for arguments in (["-p", "tpc:1"], ["-e", "disk:"], ["-p", "ssl:1:privateKey=none"]):
            self.assertRaises(CannotStart, makeService, parsed(*arguments))

    async def test_clients_of_every_port_hear_the_end(self):
        path = str(scratch(self) / "stomp.sock")
        service = self.make("-p", "tcp:0:interface=127.0.0.1", "-p", f"unix:{path}")
        service.privilegedStartService()
        service.startService()
        port = (await next(one for one in service if isinstance(one, PortService))._port).getHost().port
        clients = [
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Client()),
            await connectProtocol(UNIXClientEndpoint(reactor, path), Client()),
        ]
        for client in clients:
            await client.connected_
        await service.stopService()
        for client in clients:
            await client.ended
            self.assertNotIn(b"ERROR", client.heard)
