"""packaging/systemd: what systemd says of the unit, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
UNIT = FILES / "stomp-tx.service"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")


@needs_systemd
def test_the_unit_is_not_exposed() -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
    )
    if "Unknown option" in told.stderr or "unrecognized option" in told.stderr:
        pytest.skip("this systemd-analyze can't look at files")
    found = re.search(r"exposure level for stomp-tx.service: ([0-9.]+)", told.stdout)
    assert found is not None, told.stderr
    assert float(found[1]) < 2.0


@needs_systemd
def test_the_unit_is_well_formed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    program = tmp_path / "stomp-tx"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit.write_text(UNIT.read_text().replace("/opt/stomp-tx/bin/stomp-tx", str(program)))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    ours = [line for line in told.stderr.splitlines() if "stomp-tx.service:" in line]
    assert ours == []


def test_the_unit_starts_without_files_that_only_some_have() -> None:
    assert "LoadCredential" not in UNIT.read_text()
    assert "LoadCredential" in (FILES / "optional" / "tls.conf").read_text()


def test_it_stops_the_broker_later_than_the_broker_stops_itself() -> None:
    from stomp_tx.broker.settings import BrokerSettings

    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) > BrokerSettings().stop_timeout
