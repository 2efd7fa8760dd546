"""What a run says: the table for people, the same for scripts, and the machine it holds for."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Sequence
from typing import Any

from twisted.copyright import version

from benchmarks.runner import Result, Row, Settings
from benchmarks.servers import CORES, NAMES
from brokers import rabbitmq

BUSY = 0.9  # share of a core above which the generator may be what was measured


def table(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need; the first to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = [
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]).rstrip()
        for first, *others in lines
    ]
    rows.insert(1, "-" * max(map(len, rows)))
    return "\n".join(rows)


def text(results: Sequence[Result], settings: Settings) -> str:
    """The whole report; the durable cases in tables of their own, since other servers are beside them."""
    parts = []
    for durable in (False, True):
        alike = [result for result in results if result.case.durable is durable]
        if alike:
            parts += [figures(alike), cpu(alike)]
    machine = ", ".join(f"{key} {value}" for key, value in facts(settings).items())
    parts += ["\n".join(notes(results)), machine]
    return "\n\n".join(part for part in parts if part)


def servers(results: Sequence[Result]) -> list[str]:
    """Those that take part in any of the cases."""
    return [name for name in NAMES if any(name in result.case.servers for result in results)]


def figures(results: Sequence[Result]) -> str:
    """The medians, and stomp_tx over each of the others."""
    names = servers(results)
    others = [name for name in names if name != "stomp_tx"]
    lines = [("case", "unit", *names, *(f"/{name}" for name in others), "target", "ok")]
    for result in results:
        lines += [line(result, row, names, others) for row in result.case.rows]
    return table(lines)


def cpu(results: Sequence[Result]) -> str:
    """Who used how much of a core; empty where no server was measured."""
    names = servers(results)
    lines = [("CPU, generator + server", *names)]
    for result in results:
        used = [result.cpu(name) for name in names]
        if any(used):
            lines.append((result.case.name, *map(shares, used)))
    return table(lines) if lines[1:] else ""


def notes(results: Sequence[Result]) -> list[str]:
    """What the figures do not say by themselves, each once with the cases it holds for."""
    cases: dict[str, list[str]] = {}
    for result in results:
        said = [result.case.note] if result.case.note else []
        said += result.notes
        said += [f"{name} not measured: {why}" for name, why in result.errors.items()]
        said += [f"{name} is slow here and was measured once." for name in sorted(result.slow)]
        used = {name: cpu for name in NAMES if (cpu := result.cpu(name))}
        if any(generator > BUSY for generator, _ in used.values()):
            said.append(f"! The generator used over {BUSY:.0%} of its core: the server may reach more.")
        if result.case.rows[0].unit == "msg/s" and not result.case.durable:
            # The relay is left out: it may wait for the kernel instead of its core.
            starved = [name for name, (_, server) in used.items() if name != "relay" and server < BUSY]
            said += [
                f"{name} had not all of its core, something else ran: measure again." for name in starved
            ]
        for text in said:
            cases.setdefault(text, []).append(result.case.name)
    return [f"{', '.join(names)}: {text}" for text, names in cases.items()]


def line(result: Result, row: Row, names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """One row of the table; ratios are stomp_tx's figure over the other's."""
    met = result.met(row)
    shown = ratio if row.unit == "ratio" else number
    return (
        row.name,
        row.unit,
        *(shown(result.median(name, row)) for name in names),
        *(ratio(result.ratio(row, name)) for name in others),
        str(row.target or ""),
        "" if row.target is None else {True: "yes", False: "NO", None: "?"}[met],
    )


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def shares(cpu: tuple[float, float] | None) -> str:
    if cpu is None:
        return "-"
    return f"{'!' if cpu[0] > BUSY else ''}{cpu[0]:.0%} + {cpu[1]:.0%}"


def facts(settings: Settings) -> dict[str, str]:
    """What a reader needs to compare two runs."""
    return {
        "cores": str(len(CORES)),
        "python": platform.python_version(),
        "twisted": version,
        "kernel": platform.release(),
        "engine": settings.engine or "memory: (durable cases sqlite:)",
        "rabbitmq": rabbitmq.version() if rabbitmq.installed() else "-",
        "seconds": f"{settings.seconds:g}",
        "rounds": str(settings.rounds),
        "backlog": str(settings.backlog),
        "date": datetime.date.today().isoformat(),
    }


def as_json(results: Sequence[Result], settings: Settings) -> str:
    """Everything in the report and the figures of each round behind it."""
    return json.dumps({"machine": facts(settings), "cases": [entry(result) for result in results]}, indent=2)


def entry(result: Result) -> dict[str, Any]:
    return {
        "case": result.case.name,
        "cpu": {name: result.cpu(name) for name in result.slices},
        "errors": result.errors,
        "rows": [
            {
                "row": row.name,
                "unit": row.unit,
                "rounds": {name: result.figures(name, row) for name in result.slices},
                "median": {name: result.median(name, row) for name in result.slices},
                "ratio": {name: result.ratio(row, name) for name in result.slices if name != "stomp_tx"},
                "target": str(row.target) if row.target else None,
                "ok": result.met(row),
            }
            for row in result.case.rows
        ],
    }
