"""``python -m tests.torture``: many rounds, with a line for each."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.torture.rounds import Broken, Torture


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="default: 300, some ten minutes")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="default: any")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    print(f"seed {arguments.seed}, in {folder}", flush=True)
    try:
        Torture(folder, arguments.seed, lambda line: print(line, flush=True)).run(arguments.rounds)
    except Broken as broken:
        print(broken)
        return 1
    shutil.rmtree(folder)
    print("every promise was kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
