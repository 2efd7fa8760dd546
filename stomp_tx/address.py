"""Addresses: the one name of each destination inside the broker.

=========================  ===========================================================================
``/queue/NAME``            a queue; ``/topic/NAME``: a topic
``/temp-queue/SID/NAME``   a queue of one session, by the session's id; ``/temp-topic/SID/NAME``: a topic
``/dsub/...``              a queue that is bound to a topic: a durable subscription
``/shared/...``            the same for a subscription that several share, until the last of them has left
``/later/messages``        a queue with all that is not due yet
``/retained/NAME``         a queue with what is retained of a topic
``//HOST/queue/NAME``      the same in a virtual host that is not the default one
=========================  ===========================================================================

What a client writes is not always one: see broker/names.py.
"""

from __future__ import annotations

import re

QUEUE = "/queue/"
TOPIC = "/topic/"
TEMP_QUEUE = "/temp-queue/"
TEMP_TOPIC = "/temp-topic/"
BOUND = "/dsub/"
SHARED = "/shared/"
RETAINED = "/retained/"

_ADDRESS = re.compile("(/p[0-9])?(//[^/]+)?/(queue|topic|temp-queue|temp-topic|dsub|shared|later|retained)/")

_TOPICS = (TOPIC, TEMP_TOPIC)
_BOUND = (BOUND, SHARED)


def split(address: str) -> tuple[str, str, str]:
    """Its virtual host ("" for the default one), its kind ("/queue/"), and the name."""
    host = ""
    if address.startswith("//"):
        host, _, address = address[2:].partition("/")
        address = f"/{address}"
    end = address.index("/", 1) + 1
    return host, address[:end], address[end:]


def within(host: str, address: str) -> str:
    """This address of the default virtual host in another one; "" is the default one."""
    return f"//{host}{address}" if host else address


def is_topic(address: str) -> bool:
    """Does everyone hear what is sent there?"""
    if address.startswith("//"):
        return split(address)[1] in _TOPICS
    return address.startswith(_TOPICS)


def is_bound(address: str) -> bool:
    """Is it a queue that only lives by its binding to a topic?"""
    if address.startswith("//"):
        return split(address)[1] in _BOUND
    return address.startswith(_BOUND)


def is_shared(address: str) -> bool:
    """Is it such a queue that goes with its last consumer?"""
    return SHARED in address and split(address)[1] == SHARED


def is_address(name: str) -> bool:
    """Is it one, or a lane's?  What stands in a damaged file may be none."""
    return _ADDRESS.match(name) is not None


# -- lanes ------------------------------------------------------------------------------------------------


def lane_of(address: str, priority: int) -> str:
    """What an engine calls the part of a queue where messages of one priority wait: no client can name it."""
    return f"/p{priority}{address}"


def base_of(address: str) -> str:
    """The address of the queue that a lane is part of; of what is no lane: its own."""
    return address[3:] if address.startswith("/p") else address


def priority_of(address: str) -> int | None:
    """The priority of a lane's messages; None: it is no lane."""
    return int(address[2]) if address.startswith("/p") else None
