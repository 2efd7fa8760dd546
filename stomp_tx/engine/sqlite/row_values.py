"""What values the columns of a row may have: others are damage."""

from __future__ import annotations

from stomp_tx.address import is_address, is_topic

HIGHEST = 2**62  # of any number in a row: no file gets so far, and what comes next must be one, too
FAR_OFF = 1e12  # of a stamp: seconds, some 30,000 years of them
LARGEST = 2**48  # the same of octets and lengths, of which there are sums


def is_name(value: object) -> bool:
    """Can a queue have this name?"""
    return is_text(value) and is_address(str(value))


def is_topic_of(value: object) -> bool:
    """Can a queue be bound to this?"""
    return value is None or (
        is_text(value) and all(is_address(one) and is_topic(one) for one in str(value).split(","))
    )


def is_text(value: object) -> bool:
    """Is it text that has an encoding?"""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
