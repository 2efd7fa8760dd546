"""InterpreterService: what the broker wants of Python."""

from __future__ import annotations

import gc
import sys

from twisted.application.service import Service


class InterpreterService(Service):
    """Tells Python what kind of program this is.

    What is loaded at the start lives as long as the process and needs no looking at again by the garbage
    collector.  Messages and frames hold no cycles: they go when their last owner lets go, so that looking for
    cycles after every 700 of them finds nothing and costs a tenth of a busy queue's speed.

    The thread that writes the file gives up Python's lock for each statement, and has to get it back from a
    busy reactor: that may take a switch interval each time.  With the usual 5 milliseconds the disk waits.
    """

    def startService(self) -> None:
        super().startService()
        self._before = gc.get_threshold(), sys.getswitchinterval()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        sys.setswitchinterval(0.0005)

    def stopService(self) -> None:
        super().stopService()
        thresholds, interval = self._before
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
