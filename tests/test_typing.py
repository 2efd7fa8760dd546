"""The programs that the documents show pass ``mypy --strict``, as their readers' own programs have to."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PAGES = [ROOT / "README.md", ROOT / "tap-plugin-readme.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python(?: name=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A cache of its own: the one of ``make lint`` has our sources where this one has the installed package.
OPTIONS = ("--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache" / "documents")


def programs(page: Path) -> Iterator[tuple[str, str]]:
    """Each program of a page, and the name of its file: its own, or the page's and the line.

    Blank lines stand before it, so that mypy tells where in the page it is.
    """
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2))
        stem = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
        yield found[1] or f"{stem}_{line}.py", "\n" * line + found[2]


@pytest.mark.slow
@pytest.mark.timeout(900)  # without a cache it reads all of Twisted, on a machine that may be busy
def test_what_the_documents_show_passes_mypy(tmp_path: Path) -> None:
    for page in PAGES:
        for name, program in programs(page):
            assert not (tmp_path / name).exists(), name
            (tmp_path / name).write_text(program, encoding="utf-8")
    shown = sorted(path.name for path in tmp_path.iterdir())
    assert len(shown) > 15
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *OPTIONS, *shown, *(ROOT / "examples").glob("*.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, f"\n{ran.stdout}{ran.stderr}"
