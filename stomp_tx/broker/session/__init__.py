"""One connection's conversation with the broker: its table of states, login, transactions, receipts."""
