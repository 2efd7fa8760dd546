"""A command line and what came of it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from stomp_tx.cli import main

CHECKOUT = Path(__file__).parents[2]


def run(*arguments):
    """(exit status, stdout, stderr)"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def process(*arguments, command=(sys.executable, "-m", "stomp_tx"), environ=None, **more):
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), **(environ or {})}
    return subprocess.run([*command, *map(str, arguments)], env=env, text=True, timeout=60, **more)
