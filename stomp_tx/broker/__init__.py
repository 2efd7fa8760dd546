"""The broker, which `StompBrokerFactory <stomp_tx.StompBrokerFactory>` puts together.

What it tells whoever observes it is in `events`, what a destination does with its messages in `policy`.
"""
