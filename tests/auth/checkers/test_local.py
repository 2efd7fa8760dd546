"""checkers/local.py: who is on this machine."""

from __future__ import annotations

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.credentials import Anonymous
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.local import LocalChecker
from stomp_tx.auth.credentials import AnonymousPeer
from stomp_tx.errors import LoginDenied


class LocalCheckerTests(SynchronousTestCase):
    def test_loopback_and_unix_sockets(self) -> None:
        for address in (
            IPv4Address("TCP", "127.0.0.1", 1),
            IPv4Address("TCP", "127.8.9.10", 1),
            IPv6Address("TCP", "::1", 1),
            IPv6Address("TCP", "::ffff:127.0.0.1", 1),
            UNIXAddress("/run/stomp"),
        ):
            asked = LocalChecker().requestAvatarId(AnonymousPeer(address))
            self.assertIs(self.successResultOf(asked), ANONYMOUS)

    def test_all_others_are_told_how_users_are_made(self) -> None:
        for address in (
            IPv4Address("TCP", "192.168.1.1", 1),
            IPv4Address("TCP", "128.0.0.1", 1),
            IPv6Address("TCP", "2001:db8::1", 1),
            IPv6Address("TCP", "fe80::1%eth0", 1),
            IPv6Address("TCP", "::ffff:10.0.0.1", 1),
            IPv4Address("TCP", "localhost.example.com", 1),
            HostnameAddress(b"127.0.0.1", 1),
        ):
            error = self.assertRaises(LoginDenied, LocalChecker().requestAvatarId, AnonymousPeer(address))
            self.assertIn("stomp-tx passwd add", error.detail)

    def test_who_is_nowhere(self) -> None:
        self.assertRaises(UnauthorizedLogin, LocalChecker().requestAvatarId, Anonymous())
