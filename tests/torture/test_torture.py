"""A few rounds; many more of them: ``make torture``."""

import secrets
from pathlib import Path

import pytest

from tests.torture.rounds import Torture


@pytest.mark.slow
def test_what_clients_were_told_is_true_after_kills(tmp_path: Path) -> None:
    Torture(tmp_path, secrets.randbelow(1 << 32)).run(8)
