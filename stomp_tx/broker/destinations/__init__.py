"""Queues, topics and subscriptions: which consumer gets a message, and what policies and headers add."""
