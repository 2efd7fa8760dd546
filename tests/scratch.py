"""Files for one test."""

import shutil
import tempfile
from pathlib import Path


def scratch(test):
    """A folder that is gone after the test.

    When pytest runs what is trial's, mktemp makes its files in the checkout, and leaves them there.
    """
    folder = tempfile.mkdtemp()
    test.addCleanup(shutil.rmtree, folder)
    return Path(folder)
