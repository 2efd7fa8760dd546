"""service/port.py: a place to listen, and why nothing listens there."""

import errno
import socket
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.service import process
from stomp_tx.service.port import PortService, listening_error, with_actual_port
from stomp_tx.service.process import CannotStart


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


class WordsTests(SynchronousTestCase):
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
