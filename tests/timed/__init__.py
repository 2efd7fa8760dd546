"""Tests that look at a clock: `make torture` runs them, `make test` does not.

They want a machine on which nothing else runs; that one fails is a reason to look, and to run it again.
"""
