"""For tests of programs that use STOMP: a broker and clients in memory, or a broker in a process.

::

    from stomp_tx.testing import MemoryBroker

    def test_an_order_is_answered():
        broker = MemoryBroker()

        async def story():
            async with broker.service() as client:
                await answer_orders(client)          # what is tested
                reply = await client.request("/queue/orders", "tea")
                assert reply.text() == "one tea"

        broker.run(story())

pytest finds the fixtures ``stomp_memory`` and ``stomp_broker`` by itself; see ``stomp_tx.testing.fixtures``.
"""

from stomp_tx.testing.assertions import assert_frame, frames_in
from stomp_tx.testing.faults import Faults
from stomp_tx.testing.memory import MemoryBroker, Stuck
from stomp_tx.testing.peer import Peer
from stomp_tx.testing.process import BrokerProcess, run_broker
from stomp_tx.testing.scripted import ScriptedBroker

__all__ = [
    "BrokerProcess",
    "Faults",
    "MemoryBroker",
    "Peer",
    "ScriptedBroker",
    "Stuck",
    "assert_frame",
    "frames_in",
    "run_broker",
]
