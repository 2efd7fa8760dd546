import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """The version written in the package, read without importing it: Twisted is not there at build time."""
    text = (HERE / "stomp_tx" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__\s*=\s*"([^"]+)"', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("stomp_tx/__init__.py does not set __version__")
    return found[1]


def long_description() -> str:
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


# Held, as the other tools below.
MYPY = ["mypy>=2.3,<2.5", "mypy-zope>=1.0.17"]

setup(
    name="stomp-tx",
    version=version(),
    description="A STOMP broker and a STOMP client of Deferreds, on Twisted",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords=["stomp", "twisted", "message broker", "messaging"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    install_requires=[
        # 24.7 fixed two vulnerabilities in twisted.web, which the broker's web pages stand on.
        "twisted[tls]>=24.7",
        # Selectors; 1.2.2 made asking what was expected cheap.
        "lark>=1.2.2,<2",
        # The times of AMQ_SCHEDULED_CRON.
        "cronsim>=2.6,<3",
        "tomli>=2; python_version < '3.11'",
        # Passcodes as hashes, bearer tokens, certificates (which twisted[tls] has already).  PyJWT 2.10.0
        # took issuers that are part of the right one (CVE-2024-53861), and before 2.14 a header of many
        # brackets raised RecursionError.
        "argon2-cffi>=23.1,<26",
        "pyjwt>=2.14,<3",
        "cryptography>=42",
        # The command stomp-tx: its arguments, and what it shows.
        "click>=8.1.8,<9",
        "rich>=13,<16",
    ],
    extras_require={
        # --auth ldap:
        "ldap": ["ldaptor>=21.2,<24"],
        "test": [
            "ldaptor>=21.2,<24",
            "pytest>=8.4",
            "pytest-twisted>=1.14.3",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.8",
            "hypothesis>=6.100",
            "import-linter>=2.17,<3",
            *MYPY,  # the programs in the documents pass it
            "stomp-py>=8.2",
            "stompman>=3.5; python_version >= '3.11'",
        ],
        "audit": ["pip-audit>=2.7"],
        # Held: docs/reference/names.py reaches into it, and a warning of it fails the build.
        "docs": ["pydoctor>=25.10.1,<25.11"],
        # Tools whose next release may find more to say are held, so that a lint run tells of the change made.
        "lint": [
            "ruff>=0.17,<0.18",
            *MYPY,
            "import-linter>=2.17,<3",
            "towncrier>=24.8",
            "tomli>=2",  # mypy checks for Python 3.10, which imports it
            "pytest>=8.4",  # and the fixtures against its types
        ],
    },
    # twisted.plugins is a folder that Twisted extends over all of sys.path: one module is added to it, and no
    # __init__.py, which would hide Twisted's own plugins.
    packages=[*find_packages(include=["stomp_tx", "stomp_tx.*"]), "twisted.plugins"],
    # For `pip install -e .`: says "every package is where its name says, below this folder", and setuptools
    # then puts this folder on sys.path by a .pth file. Without this line it installs an import hook instead,
    # which `import` obeys but Twisted's search for plugins along sys.path does not see: no `twistd stomp`.
    package_dir={"": "."},
    package_data={"stomp_tx": ["py.typed", "engine/sqlite/schema/*.sql", "web/console/*"]},
    entry_points={
        "console_scripts": ["stomp-tx = stomp_tx.__main__:main"],
        "pytest11": ["stomp_tx = stomp_tx.testing.fixtures"],
    },
    zip_safe=False,
)
