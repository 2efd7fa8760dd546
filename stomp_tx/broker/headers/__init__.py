"""What clients of other brokers write in headers, in this broker's own terms.

ActiveMQ, Artemis, RabbitMQ and Apollo have names of their own for the same things; behind this package there
is one for each.
"""
