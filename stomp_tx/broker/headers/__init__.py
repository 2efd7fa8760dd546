"""The headers of SEND and SUBSCRIBE, in each broker's dialect, and what they mean in this broker's terms.

ActiveMQ, Artemis, RabbitMQ and Apollo have names of their own for the same things; behind this package there
is one for each.
"""
