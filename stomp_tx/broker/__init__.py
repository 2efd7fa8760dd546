"""The broker.  `StompBrokerFactory <stomp_tx.StompBrokerFactory>` is all of it.

What it tells whoever observes it is in `events`, what a destination does with its messages in `policy`.
"""
