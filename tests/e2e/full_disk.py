"""A broker on a disk that is full soon."""

from __future__ import annotations

import sys

from tests.e2e.running import TWISTD

CAN_NOT_WRITE = "may not grow"
"""What its clients and its owner are told among other things: SQLite does not tell this fault from others."""

_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
os.execv(sys.argv[2], sys.argv[2:])
"""


def may_write_only(octets: int) -> tuple[str, ...]:
    """The command ``twistd``, none of whose files may be larger.  (Python ignores SIGXFSZ.)"""
    return (sys.executable, "-c", _LIMITED, str(octets), *TWISTD)
