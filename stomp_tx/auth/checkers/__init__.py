"""Credential checkers for ``--auth``: a module for each way to find out who a client is."""
