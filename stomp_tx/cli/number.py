"""Number: an argument that is a number, and not more or less than one."""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number: ``nan`` is in every range, for Click."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number of anything.", param, ctx)
        return number


SECONDS = Number(min=0)
