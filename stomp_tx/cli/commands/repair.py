"""``stomp-tx repair``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stomp_tx.cli.commands.backup import Meter
from stomp_tx.cli.text import complain, count, size
from stomp_tx.errors import StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from stomp_tx.engine.sqlite.repair_copy import Repaired

LOST = 1
NOT_REPAIRED = 2
PLACES = 5  # of one queue that are told


@click.command(short_help="Let a broker go on without what is damaged in its file.")
@click.argument("file")
def repair(file: str) -> int:
    """Make a good file of the damaged FILE of a broker with --engine sqlite:FILE.  Stop the broker first.

    Every message that can be read is in it, in its place in its queue.  What can't be read is told.  The
    damaged file is kept beside it, as FILE.damaged, as it is.  Nothing is done to a file that is good.

    What would be lost is told by stomp-tx check, which changes nothing.

    The exit status is 0 if nothing was lost, 1 if something was, 2 if the file could not be repaired and is
    as it was.

    \b
    examples:
      stomp-tx repair /var/lib/stomp/stomp.db
          then start the broker
    """
    from stomp_tx.engine.sqlite.repair import repair

    try:
        with Meter() as meter:
            repaired = repair(file, meter.show)
    except StompError as error:
        complain(error)
        return NOT_REPAIRED
    if repaired is None:
        print(f"{printable(file)} is good: nothing was done")
        return 0
    return _show(file, repaired)


def _show(name: str, repaired: Repaired) -> int:
    print(
        f"{printable(name)}: {count(repaired.messages, 'message')} ({size(repaired.octets)}) in"
        f" {count(repaired.queues, 'queue')}"
    )
    for loss in repaired.losses:
        places = [str(gap) for gap in loss.places]
        where = ", ".join(places[:PLACES]) or "it is not known where"
        if len(places) > PLACES:
            where += f" and {len(places) - PLACES:,} places more"
        print(f"lost: {printable(loss.queue)}: {count(loss.messages, 'message')}: {where}")
    for queue in repaired.unnamed:
        print(f"lost: the name of a queue: its messages are in {queue}")
    for queue in repaired.unbound:
        print(f"lost: the topic of {printable(queue)}: it gets nothing new until its subscriber comes")
    if repaired.names_lost:
        print("lost: names for de-duplication: what is sent again may be taken twice")
    if repaired.selectors_lost:
        print("lost: selectors of durable subscriptions: they keep all until their subscriber comes")
    print(f"the damaged file is kept: {printable(repaired.kept)}")
    lost = (repaired.losses, repaired.unnamed, repaired.unbound, repaired.names_lost, repaired.selectors_lost)
    return LOST if any(lost) else 0
