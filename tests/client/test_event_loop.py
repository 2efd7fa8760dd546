"""client/event_loop.py: what can't run upon an event loop is said.  What can: tests/e2e/test_asyncio.py."""

import asyncio
import sys
from unittest.mock import patch

from twisted.internet import asyncioreactor
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import install_asyncio
from stomp_tx.errors import ConfigurationError


class InstallTests(SynchronousTestCase):
    def test_the_usual_event_loop_of_windows_is_refused_and_it_says_which_one_to_take(self) -> None:
        def unsupported(loop: asyncio.AbstractEventLoop) -> None:
            raise TypeError(f"ProactorEventLoop is not supported, got: {loop}")

        self.patch(asyncioreactor, "AsyncioSelectorReactor", unsupported)
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        with patch.dict(sys.modules):
            sys.modules.pop("twisted.internet.reactor", None)
            with self.assertRaisesRegex(ConfigurationError, "can't use this event loop: Proactor") as raised:
                install_asyncio(loop)
        self.assertIn("loop_factory=asyncio.SelectorEventLoop", raised.exception.detail)
