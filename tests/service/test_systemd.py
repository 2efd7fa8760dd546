"""service/systemd.py: what systemd is told."""

import os
import socket
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.service.systemd import NotifyService, notify, watchdog_interval
from tests.scratch import scratch


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
            self.assertEqual(watchdog_interval(environ), 0.0)

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
