"""What pytest gives to who has installed the package."""

from __future__ import annotations

import pytest

from stomp_tx.testing import BrokerProcess, MemoryBroker, Peer, run_broker
from tests.e2e.running import over_tcp

pytest_plugins = ("pytester",)


def test_memory(stomp_memory: MemoryBroker) -> None:
    assert isinstance(stomp_memory.peer(), Peer)


def test_a_new_one_for_each_test(stomp_memory: MemoryBroker) -> None:
    assert stomp_memory.waiting("/queue/a") == []
    stomp_memory.peer().says("SEND", destination="/queue/a")


test_and_another = test_a_new_one_for_each_test


def test_a_real_one(stomp_broker: BrokerProcess) -> None:
    with over_tcp(stomp_broker.port()) as peer:
        peer.connects().exchanges_a_message()
    assert stomp_broker.endpoint == f"tcp:127.0.0.1:{stomp_broker.port()}"


def test_with_other_arguments_and_its_end() -> None:
    with run_broker(
        "--port", "tcp:0:interface=127.0.0.1", "--engine", "memory:", "--set", "broker.prefetch=1"
    ) as one:
        with over_tcp(one.port()) as peer:
            peer.connects()
        assert one.stop() == 0
    with pytest.raises(AssertionError, match="nonsense"), run_broker("--nonsense"):
        pass


def test_in_a_suite_of_a_user(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        async def story(broker):
            async with broker.service() as client:
                await client.respond("/queue/sums", lambda message: sum(message.value()))
                reply = await client.request("/queue/sums", [1, 2])
                return reply.value()

        def test_memory(stomp_memory):
            assert stomp_memory.run(story(stomp_memory)) == 3

        def test_process(stomp_broker):
            assert stomp_broker.port()
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
