"""`python -m benchmarks`: run the cases, print the table."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.runner import Settings, progress
from benchmarks.servers import NAMES, keep_to_one_core

ABOUT = """\
Measure the broker beside yardsticks, in the same run on the same machine:

  relay      a bare Twisted process that parses nothing: what the framework and the kernel cost
  baseline   a STOMP server with almost no features: what pure Python reaches on Twisted
  guarded    the broker with users and roles; in the case of that name
  rabbitmq   RabbitMQ where it is installed as Debian packages it (apt-get install rabbitmq-server)
  stomp_tx   the broker, started by twistd

Messages on disk are measured in cases of their own, the durable ones: the broker keeps a file there, and
rabbitmq takes the place of relay and baseline, which store nothing. TMPDIR, or else /var/tmp, has to be on a
disk. All other cases leave rabbitmq out.

The servers take turns in every round, and medians are shown. Figures depend on the machine; the ratios,
stomp_tx over the others, are what to watch.
"""

EXAMPLES = """\
examples:
  python -m benchmarks                              everything, about five minutes on two cores
  python -m benchmarks --case topic --case fan-out  two cases
  python -m benchmarks --case parser --seconds 3    the parsers alone, without sockets
  python -m benchmarks --case backlog --backlog 5000000
                                                    the promise about long queues, some minutes
  python -m benchmarks --rounds 9 --seconds 2       calmer figures on a noisy machine
  python -m benchmarks --json run.json --check      for scripts: every round's figures, and exit code 1
                                                    when a target was missed
"""


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--case",
        action="append",
        choices=CASES,
        metavar="NAME",
        help="only this case, see --list; repeatable",
    )
    add("--server", action="append", choices=NAMES, help="only this server, where it takes part; repeatable")
    add("--seconds", type=seconds, default=Settings.seconds, help="of load in each slice (%(default)s)")
    add("--rounds", type=rounds, default=Settings.rounds, help="turns of each server (%(default)s)")
    add(
        "--backlog",
        type=backlog,
        default=Settings.backlog,
        help="messages that fill a queue (%(default)s)",
    )
    add("--engine", help="the broker's engine string (memory:, but sqlite: in the durable cases)")
    add("--json", type=Path, metavar="FILE", help="write every round's figures there too")
    add("--check", action="store_true", help="exit with 1 if a target is missed or a server fails")
    add("--list", action="store_true", help="name the cases and end")
    return parser.parse_args(argv)


def seconds(text: str) -> float:
    if not 0 < (value := float(text)) <= 10:  # all of a case fits the servers' lifetime
        raise argparse.ArgumentTypeError("more than 0, at most 10")
    return value


def rounds(text: str) -> int:
    if not 1 <= (value := int(text)) <= 20:
        raise argparse.ArgumentTypeError("1 to 20")
    return value


def backlog(text: str) -> int:
    if not 10_000 <= (value := int(text)) <= 10_000_000:
        raise argparse.ArgumentTypeError("10,000 to 10,000,000")
    return value


def main() -> int:
    options = arguments()
    if options.list:
        for case in CASES.values():
            print(f"{case.name:18}{case.about}")
        return 0
    # SIGTERM becomes an exception, so that the servers are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # The idle case needs a descriptor for each connection; servers inherit the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keep_to_one_core()
    settings = Settings(options.seconds, options.rounds, options.backlog, options.engine)
    names = [name for name in NAMES if name in (options.server or NAMES)]
    cases = [case for name, case in CASES.items() if name in (options.case or CASES)]
    results = [case.run(names, settings) for case in cases if set(names) & set(case.servers)]
    progress("")
    print(report.text(results, settings))
    if options.json:
        options.json.write_text(report.as_json(results, settings) + "\n")
    missed = any(result.errors or result.met(row) is False for result in results for row in result.case.rows)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
