"""Installed in any of the usual ways, the broker is a command of twistd and twist; and there is stomp-tx."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "node_modules", "__pycache__", "dropin.cache", "_trial_temp*", "*.db"
)
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"


def run(*command, cwd):
    """What the command printed; its whole output in the failure if it failed."""
    ran = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def pip_install(venv, *what, cwd):
    # This environment's pip, working on the other one: a venv without its own pip is made much sooner.
    options = ("--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", *options, *what, cwd=cwd)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources, so that building leaves nothing behind in the real ones."""
    return shutil.copytree(ROOT, tmp_path / "checkout", ignore=NOT_SOURCE)


@pytest.fixture
def venv(tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    return tmp_path / "venv"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder from which nothing of the sources can be found by accident."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def assert_usable(venv, elsewhere):
    for command in ("twistd", "twist"):
        printed = run(venv / "bin" / command, "--help", cwd=elsewhere).splitlines()
        listed = {line.split()[0] for line in printed if line.strip()}
        assert "stomp" in listed, f"{command} --help does not list stomp"
        assert "web" in listed, f"{command} --help has lost Twisted's own commands"
    where = "import stomp_tx, pathlib; print(pathlib.Path(stomp_tx.__file__).parent)"
    package = Path(run(venv / "bin" / "python", "-c", where, cwd=elsewhere).strip())
    assert (package / "py.typed").exists()
    assert list((package / "engine" / "sqlite" / "schema").glob("*.sql")), "the durable engine has no schema"
    assert run(venv / "bin" / "stomp-tx", "--version", cwd=elsewhere).startswith("stomp-tx ")
    return package


def files_below(folder):
    return {path.relative_to(folder) for path in folder.rglob("*.*") if path.suffix not in ("", ".pyc")}


def test_plain_install(checkout, venv, elsewhere):
    pip_install(venv, ".", cwd=checkout)
    package = assert_usable(venv, elsewhere)
    assert package.is_relative_to(venv)
    assert files_below(checkout / "stomp_tx") == files_below(package)


def test_editable_install(checkout, venv, elsewhere):
    pip_install(venv, "--editable", ".", cwd=checkout)
    package = assert_usable(venv, elsewhere)
    assert package == checkout / "stomp_tx"


def test_install_from_source_archive(checkout, venv, elsewhere):
    pip_install(venv, "setuptools>=77", cwd=elsewhere)
    archive = run(venv / "bin" / "python", "-c", BUILD_SDIST, elsewhere, cwd=checkout).split()[-1]
    pip_install(venv, "--no-build-isolation", elsewhere / archive, cwd=elsewhere)
    package = assert_usable(venv, elsewhere)
    assert files_below(checkout / "stomp_tx") == files_below(package)


def test_the_source_archive_holds_all_that_is_versioned(checkout, venv, elsewhere):
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no clone of the repository")
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    pip_install(venv, "setuptools>=77", cwd=elsewhere)
    archive = run(venv / "bin" / "python", "-c", BUILD_SDIST, elsewhere, cwd=checkout).split()[-1]
    with tarfile.open(elsewhere / archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    versioned = set(run("git", "ls-files", "--deduplicate", cwd=ROOT).splitlines())
    assert versioned - held == {".gitignore"}
