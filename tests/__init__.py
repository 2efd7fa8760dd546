"""Tests of stomp_tx."""

import os

# The contexts of whoever runs the tests are none of theirs.
os.environ["XDG_CONFIG_HOME"] = "/nowhere"
