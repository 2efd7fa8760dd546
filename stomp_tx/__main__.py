"""``python -m stomp_tx`` is ``stomp-tx``."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

_INTERRUPTED = 128 + signal.SIGINT


def main() -> int:
    """The command line.  Interrupted before it is all here, it ends without a traceback, too."""
    try:
        before = signal.getsignal(signal.SIGINT)
        is_python_s = before == signal.default_int_handler  # and not ignored
        if is_python_s:
            signal.signal(signal.SIGINT, _leave)  # an exception amid an import may come out anywhere
        from stomp_tx.cli import main

        if is_python_s:
            signal.signal(signal.SIGINT, before)
        return main()
    except KeyboardInterrupt:
        _leave()


def _leave(number: int = 0, frame: object = None) -> NoReturn:
    os.write(2, b"stomp-tx: interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    raise SystemExit(main())
