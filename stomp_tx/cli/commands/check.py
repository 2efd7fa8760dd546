"""``stomp-tx check``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from stomp_tx.cli.text import complain, count, size
from stomp_tx.cli.text import time as time_of
from stomp_tx.errors import StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from stomp_tx.engine.sqlite.check import QueueReport, Report

DAMAGED = 1
UNCHECKED = 2


@click.command(short_help="Check a broker's file, and tell what is in it.")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def check(file: str, as_json: bool) -> int:
    """Check the FILE of a broker with --engine sqlite:FILE, or a backup, and tell what is in its queues.

    Changes nothing; the broker may run meanwhile.  Rather than a large file of a busy broker, check a backup
    of it.

    The exit status is 0 if the file is good, 1 if there are problems, 2 if it can't be checked.

    \b
    examples:
      stomp-tx check stomp.db
          queues, messages, octets of their frames; and the verdict
      stomp-tx check --json stomp.db
          the same for programs
    """
    from stomp_tx.engine.sqlite.check import check
    from stomp_tx.engine.sqlite.reader import RESTORE

    try:
        report = check(file)
    except StompError as error:
        if as_json:
            told = {"file": file, "verdict": "unchecked", "problems": [error.summary]}
            print(json.dumps(told, indent=2))
        complain(error)
        return UNCHECKED
    (_show_json if as_json else _show)(file, report)
    if report.problems and not as_json:
        print(f"DAMAGED: {RESTORE}")
    return DAMAGED if report.problems else 0


def _show(name: str, report: Report) -> None:
    print(
        f"{printable(name)}: {'' if report.is_whole else 'at least '}{count(report.messages, 'message')}"
        f" ({size(report.octets)}) in {count(len(report.queues), 'queue')}"
    )
    width = min(max((len(printable(queue.name)) for queue in report.queues), default=0), 60)
    for queue in report.queues:
        print(
            f"  {printable(queue.name):{width}}  {queue.messages:>11,}  {size(queue.octets):>9}{_rest(queue)}"
        )
    for problem in report.problems:
        print(f"problem: {printable(problem)}")
    if not report.problems:
        print("good")


def _rest(queue: QueueReport) -> str:
    rest = ""
    if queue.spilled:
        rest += f"  and {queue.spilled:,} that don't persist"
    if queue.expires:
        rest += f"  first expires {time_of(queue.expires)}"
    if queue.topic is not None:
        rest += f"  bound to {printable(queue.topic)}"
    if queue.selector:
        rest += f"  keeps {printable(queue.selector)}"
    return rest


def _show_json(name: str, report: Report) -> None:
    told = {
        "file": name,
        "verdict": "damaged" if report.problems else "good",
        "problems": report.problems,
        "version": report.version,
        "is_whole": report.is_whole,
        "messages": report.messages,
        "octets": report.octets,
        "queues": [vars(queue) for queue in report.queues],
    }
    print(json.dumps(told, indent=2))
