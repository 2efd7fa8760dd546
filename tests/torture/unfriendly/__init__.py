"""Clients that do what clients may, all too much of it; how long others wait meanwhile, and what it costs.

`frames.py` makes octets, `client.py` is an unfriendly connection, `load.py` many of them; `innocent.py` is
who must not notice; `victim.py` is the broker, `settings.py` what it is told; `case.py` is what cases have in
common, `catalogue.py` names them all; `trial.py` runs one, `bars.py` judges it.  The rest holds them.

    python -m tests.torture.unfriendly --help
"""
