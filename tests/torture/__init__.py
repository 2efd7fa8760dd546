"""The broker is killed under load, again and again; what its clients were told must be true afterwards.

`connection.py` is a client's connection, `ledger.py` what clients were told and what follows from it,
`workload.py` what they do, `file.py` what must be so in the file, `rounds.py` the life and death of brokers.

    python -m tests.torture --rounds 300 --seed 1
"""
