"""The Makefile, where it does more than call one program."""

import re
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent.parent

KEPT = ("*.db", "*.db-shm", "*.db-wal", "*.db.lock", "certs/", "twistd.log*", "twistd.pid", "*.py[cod]")
"""Of what git ignores: what belongs to whoever ran a broker here, and what lies in folders that go."""

PARENTS = {
    "__pycache__": ["stomp_tx/wire", "twisted/plugins"],
    "dropin.cache": ["twisted/plugins"],
    "node_modules": ["tests/interop/node"],
}
"""Where such a thing is made, if not at the top."""


class CleanTests(SynchronousTestCase):
    if shutil.which("make") is None:
        skip = "there is no make here"

    def test_what_git_ignores_goes_and_what_is_versioned_stays(self) -> None:
        folder = Path(self.mktemp())
        versioned = [folder / "tests" / "test_one.py", folder / "twisted" / "plugins" / "one.py"]
        made = []
        for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#") and line not in KEPT:
                name = re.sub(r"\*$|\*(?=/$)", "", line).replace("*", "one").strip("/")
                inside = "file" if line.endswith("/") else ""
                made += [folder / parent / name / inside for parent in PARENTS.get(name, [""])]
        for path in (*made, *versioned):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for name in ("benchmarks", "brokers", "docs", "examples"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        ran = subprocess.run(["make", "clean"], cwd=folder, capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertEqual([path for path in made if path.exists()], [])
        self.assertEqual([path for path in versioned if not path.exists()], [])
        self.assertGreater(len(made), 10)
