import errno
import os
import signal
import socket
from types import SimpleNamespace

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ConfigurationError, EngineError
from stomp_tx.service import process
from stomp_tx.service.process import (
    CannotStart,
    EarlySignalsService,
    EngineService,
    NotifyService,
    Ordered,
    PortService,
    SessionsService,
    listening_error,
    notify,
    with_actual_port,
)
from tests.scratch import scratch


class Step(Service):
    """Writes down when it is started and stopped; stops when told."""

    def __init__(self, name, diary):
        self.step, self.diary, self.stopped = name, diary, Deferred()

    def startService(self):
        self.diary.append(f"start {self.step}")

    def stopService(self):
        self.diary.append(f"stop {self.step}")
        return self.stopped


class OrderedTests(SynchronousTestCase):
    def setUp(self):
        self.diary = []
        self.reactor = SimpleNamespace(_exitSignal=15)
        self.ordered = Ordered(self.reactor)
        self.first, self.last = Step("first", self.diary), Step("last", self.diary)
        for step in (self.first, self.last):
            step.setServiceParent(self.ordered)

    def test_each_stops_when_the_one_after_it_has(self):
        self.ordered.startService()
        stopping = self.ordered.stopService()
        self.assertEqual(self.diary, ["start first", "start last", "stop last"])
        self.last.stopped.callback(None)
        self.assertEqual(self.diary[3:], ["stop first"])
        self.assertNoResult(stopping)
        self.first.stopped.callback(None)
        self.successResultOf(stopping)

    def test_orderly_end_is_exit_code_0(self):
        stopping = self.ordered.stopService()
        self.last.stopped.callback(None)
        self.assertEqual(self.reactor._exitSignal, 15)
        self.first.stopped.callback(None)
        self.successResultOf(stopping)
        self.assertIsNone(self.reactor._exitSignal)

    def test_one_that_can_not_stop_is_logged_and_keeps_none_from_stopping(self):
        stopping = self.ordered.stopService()
        self.last.stopped.errback(ZeroDivisionError())
        self.first.stopped.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reactor._exitSignal, 15)


class EngineServiceTests(SynchronousTestCase):
    def engine(self, started=None):
        calls = []
        engine = SimpleNamespace(
            start=lambda: calls.append("start") or started, stop=lambda: calls.append("stop")
        )
        return EngineService(engine, MemoryReactorClock()), calls

    def test_engine_starts_and_stops(self):
        service, calls = self.engine()
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(calls, ["start", "stop"])

    def test_engine_that_can_not_start_ends_the_process(self):
        for error, line in (
            (EngineError("the disk is full", "make room"), "stomp: the disk is full: make room"),
            (ZeroDivisionError("by zero"), "stomp: the engine can't start: by zero"),
        ):
            service, _ = self.engine(fail(error))
            self.assertEqual(str(self.assertRaises(CannotStart, service.startService)), line)


class SessionsServiceTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.gone = Deferred()
        factory = SimpleNamespace(sessions={1: None}, stop=lambda: self.gone)
        self.stopping = SessionsService(factory, self.clock, 10.0, Logger()).stopService()

    def test_stops_when_the_sessions_are_gone(self):
        self.assertNoResult(self.stopping)
        self.gone.callback(None)
        self.successResultOf(self.stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stops_in_time_whatever_the_sessions_do(self):
        self.clock.advance(9.9)
        self.assertNoResult(self.stopping)
        self.clock.advance(0.1)
        self.successResultOf(self.stopping)


class PortServiceTests(SynchronousTestCase):
    def setUp(self):
        self.opened = []
        self.stopped = []
        self.port = SimpleNamespace(
            getHost=lambda: SimpleNamespace(port=40123), stopListening=lambda: self.stopped.append(True)
        )
        self.reactor = SimpleNamespace(
            callWhenRunning=lambda call, *args: call(*args), stop=lambda: self.stopped.append("reactor")
        )

    def service(self, listening, description="tcp:0"):
        self.factories = []
        endpoint = SimpleNamespace(listen=lambda factory: self.factories.append(factory) or listening)
        return PortService(endpoint, "the factory", self.reactor, description, self.opened.append)

    def test_listens_once_with_and_without_privileges(self):
        for start in (["startService"], ["privilegedStartService", "startService"]):
            self.factories = []
            service = self.service(succeed(self.port))
            for method in start:
                getattr(service, method)()
            self.assertEqual(self.factories, ["the factory"])
            self.successResultOf(service.listening)
            self.successResultOf(service.stopService())
        self.assertEqual(self.opened, ["tcp:40123"] * 2)
        self.assertEqual(self.stopped, [True] * 2)

    def test_without_need_it_listens_when_what_comes_before_has_started(self):
        for description, at_once in (
            ("tcp:61613", False),
            ("tcp:0", False),
            ("haproxy:tcp:port=61613:interface=127.0.0.1", False),
            ("rabbitmq:stomps:443:privateKey=a:certKey=b", True),
            ("tcp:port=1023", True),
            ("unix:/run/stomp.sock", True),
            ("systemd:domain=INET:index=0", False),
        ):
            service = self.service(succeed(self.port), description)
            service.privilegedStartService()
            self.assertEqual(bool(self.factories), at_once, description)

    def test_failure_is_raised_at_once(self):
        service = self.service(fail(CannotListenError("", 1, OSError(errno.EADDRINUSE, "Address in use"))))
        error = self.assertRaises(CannotStart, service.startService)
        self.assertIn("stomp: can't listen at tcp:0: address in use (another process", str(error))
        self.assertNoResult(service.listening)
        self.successResultOf(service.stopService())

    def test_later_failure_ends_the_process(self):
        registered = []
        self.patch(process.atexit, "register", registered.append)
        listening = Deferred()
        service = self.service(listening)
        service.startService()
        listening.errback(ZeroDivisionError())
        self.assertEqual(self.stopped, ["reactor"])
        self.assertEqual(registered, [process._exit_with_failure])

    def test_attempt_is_given_up_when_the_process_stops(self):
        service = self.service(Deferred())
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(self.stopped, [])

    def test_what_stdio_gives_is_closed(self):
        closed = []
        port = SimpleNamespace(getHost=lambda: None, loseConnection=lambda: closed.append(True))
        service = self.service(succeed(port), "stdio:")
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(closed, [True])

    def test_stops_without_having_started(self):
        self.assertIsNone(self.service(succeed(self.port)).stopService())


class EarlySignalsTests(SynchronousTestCase):
    """Before the reactor runs."""

    def setUp(self):
        self.calls = []
        self.when_running = []
        self.reactor = SimpleNamespace(
            running=False,
            stop=self.stop,
            sigTerm=lambda number, frame: self.fail(number),
            sigInt=lambda number, frame: self.fail(number),
            _exitSignal=None,
            callWhenRunning=lambda call, *more: self.when_running.append((call, more)),
            callFromThread=lambda call, *more: (self.calls.append("from thread"), call(*more)),
        )
        self.service = EarlySignalsService(self.reactor)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.as_before()

    def as_before(self):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(self):
        self.calls.append("stop")
        if self.calls.count("stop") > 1:
            raise ReactorNotRunning

    def runs(self):
        self.reactor.running = True
        signal.signal(signal.SIGTERM, self.reactor.sigTerm)
        for call, more in self.when_running:
            call(*more)

    def test_one_that_comes_early_ends_the_reactor_as_soon_as_it_runs_and_a_second_one_does_nothing(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.as_before()
            self.calls.clear()
            self.when_running.clear()
            self.reactor.running = False
            self.service = EarlySignalsService(self.reactor)
            self.service.startService()
            for _ in range(2):
                signal.raise_signal(number)
            self.assertEqual(self.calls, [])
            self.runs()
            self.assertEqual(self.calls, ["stop"])
            self.service.stopService()

    def test_later_ones_end_it_too_and_a_second_one_does_nothing_until_the_process_is_gone(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.as_before()
            self.calls.clear()
            self.when_running.clear()
            self.service = EarlySignalsService(self.reactor)
            self.reactor.running = False
            self.service.startService()
            self.runs()
            for other in (number, signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(other)
            self.assertEqual(self.calls, ["from thread", "stop"])
            self.assertEqual(self.reactor._exitSignal, number)
            self.service.stopService()
            for other in (signal.SIGTERM, signal.SIGINT):
                signal.raise_signal(other)

    def test_one_that_comes_while_something_else_stops_it_does_nothing(self):
        self.service.startService()
        self.runs()
        self.reactor.stop()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.calls, ["stop", "from thread", "stop"])

    def test_a_handler_of_others_is_left_to_them(self):
        self.service.startService()
        others = []
        self.when_running.insert(0, (lambda: signal.signal(signal.SIGTERM, lambda *_: others.append(1)), ()))
        self.runs()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual((others, self.calls), ([1], []))

    def test_stopped_it_leaves_things_as_they_were(self):
        self.service.startService()
        self.service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.default_int_handler)

    def test_where_others_have_their_own_it_changes_nothing(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.service.startService()
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_IGN)
        self.service.stopService()


class NotifyTests(SynchronousTestCase):
    def setUp(self):
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.setblocking(False)

    def test_ready_when_all_ports_listen_and_the_reactor_runs_and_stopping_when_it_stops(self):
        address = str(scratch(self) / "notify")
        self.systemd.bind(address)
        ports = [SimpleNamespace(listening=Deferred()) for _ in range(2)]
        clock = Clock()
        service = NotifyService(ports, clock, {"NOTIFY_SOCKET": address})
        service.startService()
        ports[1].listening.callback(None)
        self.assertRaises(BlockingIOError, self.systemd.recv, 100)
        ports[0].listening.callback(None)
        self.assertRaises(BlockingIOError, self.systemd.recv, 100)
        clock.advance(0)
        self.assertEqual(self.systemd.recv(100), b"READY=1")
        service.stopService()
        self.assertEqual(self.systemd.recv(100), b"STOPPING=1")

    def test_a_watchdog_is_told_twice_in_its_time_until_the_process_ends(self):
        address = str(scratch(self) / "notify")
        self.systemd.bind(address)
        clock = Clock()
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}
        service = NotifyService([], clock, environ)
        service.startService()
        clock.pump([0] + [5.0] * 3)
        told = sorted(self.systemd.recv(100) for _ in range(5))
        self.assertEqual(told, [b"READY=1"] + [b"WATCHDOG=1"] * 4)
        service.stopService()
        self.assertEqual(self.systemd.recv(100), b"STOPPING=1")
        clock.advance(5)
        self.assertEqual(self.systemd.recv(100), b"WATCHDOG=1")

    def test_without_a_watchdog_nothing_is_told(self):
        for environ in ({}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}):
            self.assertEqual(process.watchdog_interval(environ), 0.0)

    def test_abstract_address(self):
        name = f"stomp-tx-test-{os.getpid()}"
        try:
            self.systemd.bind(f"\0{name}")
        except OSError:
            self.skipTest("no abstract unix sockets here")
        notify("READY=1", {"NOTIFY_SOCKET": f"@{name}"})
        self.assertEqual(self.systemd.recv(100), b"READY=1")

    def test_nobody_to_tell_harms_nothing(self):
        notify("READY=1", {})
        notify("READY=1", {"NOTIFY_SOCKET": str(scratch(self) / "none")})


class WordsTests(SynchronousTestCase):
    def test_one_line_and_exit_code_1_without_a_traceback(self):
        error = CannotStart(ConfigurationError("it is wrong", "write it right"))
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)
        self.assertEqual(error.code, "stomp: it is wrong: write it right")
        self.assertEqual(str(CannotStart(ConfigurationError("it is wrong"))), "stomp: it is wrong")

    def test_why_nothing_listens(self):
        def said(description, cause):
            error = cause if isinstance(cause, OverflowError) else CannotListenError(None, "", cause)
            return listening_error(description, Failure(error)).detail

        in_use = OSError(errno.EADDRINUSE, "Address already in use")
        self.assertIn("another process listens there", said("tcp:1", in_use))
        self.assertIn("a file of that name is there", said("unix:a", in_use))
        self.assertIn("another process listens there", said("unix:a", "Cannot acquire lock"))
        self.assertIn(
            "CAP_NET_BIND_SERVICE", said("tcp:1", PermissionError(errno.EACCES, "Permission denied"))
        )
        self.assertEqual(said("tcp:1", socket.gaierror(-2, "Name not known")), "name not known")
        self.assertEqual(said("tcp:99999", OverflowError("port must be 0-65535.")), "port must be 0-65535.")

    def test_actual_port_stands_where_any_was_asked_for(self):
        for asked, got in {
            "tcp:0": "tcp:7",
            "tcp:0:interface=0": "tcp:7:interface=0",
            "tcp:port=0:interface=a": "tcp:port=7:interface=a",
            "tcp6:0": "tcp6:7",
            "ssl:0:privateKey=0": "ssl:7:privateKey=0",
            "haproxy:tcp:0": "haproxy:tcp:7",
            "tcp:8": "tcp:8",
            "tcp:01": "tcp:01",
            "unix:0": "unix:0",
            "systemd:domain=INET:index=0": "systemd:domain=INET:index=0",
        }.items():
            self.assertEqual(with_actual_port(asked, 7), got)
