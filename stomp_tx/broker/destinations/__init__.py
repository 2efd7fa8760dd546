"""Where messages are given out: queues, topics, and what their policies add."""
