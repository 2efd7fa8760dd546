"""Selectors: which messages a subscription wants, by their headers."""
