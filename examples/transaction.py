"""A transaction: an order is taken and its invoice is sent, both or neither.

python examples/transaction.py [tcp:host:port | tls:host:port]
"""

import sys

from twisted.internet.task import react

from stomp_tx.client import connect


async def main(reactor: object, endpoint: str = "tcp:127.0.0.1:61613") -> None:
    # Leaving the block disconnects.
    async with await connect(endpoint) as client:
        await client.send("/queue/orders", "three teapots", receipt=True)

        orders = await client.subscribe("/queue/orders", ack="client-individual")
        order = await orders.next()

        # An exception in the block aborts: nothing is sent, and the order can be acknowledged once more.
        try:
            async with client.transaction() as transaction:
                await transaction.send("/queue/invoices", "a wrong invoice")
                await transaction.ack(order)
                raise ValueError("the price of teapots is unknown")
        except ValueError as error:
            print("aborted:", error)

        # The block's end commits, and waits until the broker has done all of it.
        async with client.transaction() as transaction:
            await transaction.send("/queue/invoices", f"invoice for {order.text()}")
            await transaction.ack(order)
        print("committed")

        invoices = await client.subscribe("/queue/invoices")
        invoice = await invoices.next()
        print("received:", invoice.text())


if __name__ == "__main__":
    react(main, sys.argv[1:])
