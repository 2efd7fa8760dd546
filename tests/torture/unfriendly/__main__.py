"""``python -m tests.torture.unfriendly``: each case under each kind of settings, with a table at the end."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

from tests.torture.unfriendly.bars import RESIDENT, STOP, WAIT, Measured, table
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.catalogue import CASES, named, why_open
from tests.torture.unfriendly.settings import KINDS, MEMORY, write_users
from tests.torture.unfriendly.trial import Trial

BARS = f"""
bars:
  an innocent connection, which SENDs to its own queue every 20 ms, waits {WAIT} s at worst for its message,
  another one for the RECEIPT of a message that is kept (both on a quiet machine with two processors); the
  broker has {RESIDENT >> 20} MiB at most (broker.memory, here {MEMORY >> 20} MiB, and a quarter more); it
  ends within {STOP:.0f} s of SIGTERM; all that was receipted is there after the next start. Cases have
  bars of their own, besides: RECEIPTs for what is kept only, work done, others answered.

A case that can't pass before something is built is "open": it is reported, runs only when it is named or with
--open, and does not make the exit code 1. Others do, where they miss a bar.
"""


def main() -> int:
    arguments = _arguments()
    try:
        cases = named(arguments.case) if arguments.case else list(CASES)
    except KeyError as error:
        print(f"there is no case {error}: see --help", file=sys.stderr)
        return 2
    kinds = (arguments.settings,) if arguments.settings else KINDS
    found: list[Measured] = []
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="unfriendly-") as folder:
        users = Path(folder, "users")
        write_users(users)
        print(f"seed {arguments.seed}", flush=True)
        for case in cases:
            for kind in kinds:
                why = why_open(case.name, kind)
                if why and not arguments.case and not arguments.open:
                    left_out[why].append(f"{case.name} ({kind})")
                    continue
                print(f"{case.name}, {kind}: {_about(case)}", flush=True)
                one = Trial(case, kind, arguments.seed, arguments.seconds, users).run()
                found.append(one)
                print("\n".join(one.lines()), flush=True)
                if arguments.json:
                    _write(Path(arguments.json), found)
    print(f"\n{table(found)}")
    for why, those in left_out.items():
        print(f"\nopen, not run, until there is {why}:\n  {', '.join(those)}")
    return int(any(one.counts for one in found))


def _arguments() -> argparse.Namespace:
    about = "\n".join(f"  {case.name:18}{_about(case)}" for case in CASES)
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.unfriendly",
        description="Clients that do what clients may, all too much of it, each time with a new broker:\n"
        "how long others wait meanwhile, what it costs, and whether promises are kept.",
        epilog=f"cases:\n{about}\n{BARS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--case", nargs="+", metavar="NAME", help="these (4e: all of 4e-...); default: all")
    parser.add_argument("--seconds", type=float, default=15.0, help="of load, at most, in each (default: 15)")
    parser.add_argument("--settings", choices=KINDS, help="the defaults, or the manual's internet.toml; both")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1 << 32), help="of the mix; default: any"
    )
    parser.add_argument("--json", metavar="FILE", help="write what was measured there, too")
    parser.add_argument("--open", action="store_true", help="run those that are known to miss a bar, as well")
    return parser.parse_args()


def _about(case: type[Case]) -> str:
    return " ".join((case.__doc__ or "").split())


def _write(path: Path, found: list[Measured]) -> None:
    lines = [{**asdict(one), "missed": one.missed(), "verdict": one.verdict} for one in found]
    path.write_text(json.dumps(lines, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
