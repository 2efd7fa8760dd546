"""stomp-tx cert: what it says, and with which exit status."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.commandline import run
from tests.scratch import scratch


class CertificateTests(SynchronousTestCase):
    def test_a_servers_and_a_clients(self):
        folder = scratch(self) / "certs"
        status, out, err = run("cert", folder, "--host", "broker.lan", "--client", "ann")
        self.assertEqual(status, 0)
        names = [Path(line).name for line in out.splitlines()]
        self.assertEqual(names, ["server.pem", "server.key", "client-ann.pem", "client-ann.key"])
        self.assertIn("ca.pem", err)

    def test_what_can_not_be(self):
        folder = scratch(self) / "certs"
        self.assertIn("a day at least", run("cert", folder, "--days", "0")[2])
        self.assertIn("can't be a common name", run("cert", folder, "--client", "../ann")[2])
