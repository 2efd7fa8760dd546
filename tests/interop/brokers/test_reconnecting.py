"""StompClientService with each kind of broker: killed, started again, gone for good, frozen."""

from __future__ import annotations

import signal

import pytest
from twisted.internet.threads import deferToThread

from stomp_tx.client import Message, Retry, StompClientService
from tests.interop.brokers.running import Running
from tests.interop.brokers.waiting import awaited, coming, pause, until, within

pytestmark = pytest.mark.timeout(300)  # brokers start within it

COUNT = 4000
PERSISTENT = {"persistent": "true"}
QUICK = Retry(initial=0.05, maximum=0.2)


async def settle(broker: Running) -> None:
    """Wait until the queues that were made just now outlive a kill.

    RabbitMQ may lose a new one with all that it has receipted for it: after one kill in thirty it found four
    queues of five.  Of those that were four seconds old it lost none in thirty kills.
    """
    if broker.name == "rabbitmq":
        await pause(4)


@awaited(150)
async def test_killed_and_started_again_under_load(fresh, queue):
    """Nothing that was sent is lost; once each with this project's broker, which knows what comes again."""
    numbers: list[int] = []
    seen: set[int] = set()
    connected: list[object] = []
    lost: list[object] = []

    async def take(message: Message) -> None:
        async with message:
            number = int(message.body)
            # What comes again was not acknowledged: it was written down before.
            if not message.redelivered or number not in seen:
                seen.add(number)
                numbers.append(number)

    settings = fresh.settings()
    service = StompClientService(
        fresh.endpoint, retry=QUICK, on_connected=connected.append, on_lost=lost.append, **settings
    )
    async with service as client:
        await client.subscribe(queue, take, ack="client-individual", prefetch=50)
        await settle(fresh)
        for number in range(COUNT):
            await client.send(queue, f"{number}", headers=PERSISTENT)
            if number == COUNT // 2:
                assert client.unconfirmed > 0  # it is killed in the midst of it
                await deferToThread(fresh.kill)
                await deferToThread(fresh.start)
        await client.send(f"{queue}-last", "", headers=PERSISTENT, receipt=True)
        await until(lambda: len(seen) == COUNT, 60)
        assert client.unconfirmed == 0
    assert len(connected) >= 2
    assert len([reason for reason in lost if reason is not None]) >= 1
    assert seen == set(range(COUNT))
    if fresh.name == "stomp-tx":
        assert sorted(numbers) == list(range(COUNT))


@awaited(150)
async def test_every_receipted_message_is_there_after_a_kill(fresh, queue):
    """One connection, no client that sends again: what was receipted is what counts."""
    from stomp_tx.client import connect

    receipted: set[int] = set()
    client = await connect(fresh.endpoint, **fresh.settings())
    await client.send(queue, "-1", headers=PERSISTENT, receipt=True)
    await settle(fresh)
    for number in range(2000):
        client.send(queue, f"{number}", headers=PERSISTENT, receipt=True).addCallbacks(
            lambda _, number=number: receipted.add(number), lambda _: None
        )
    await until(lambda: len(receipted) > 500)
    await deferToThread(fresh.kill)
    await client.when_closed()
    safe = set(receipted)
    await deferToThread(fresh.start)
    async with await connect(fresh.endpoint, **fresh.settings()) as client:
        inbox = await client.subscribe(queue)
        missing = set(safe)
        while missing and (message := await within(inbox, 20.0)) is not None:
            missing.discard(int(message.body))
        assert not missing, f"{len(missing)} of {len(safe)} are lost: {sorted(missing)[:20]}"


@awaited(120)
async def test_failover_to_another_broker(broker, fresh, queue):
    """Of two endpoints the first dies: subscriptions are made again at the second, and it goes on there."""
    connected: list[object] = []
    service = StompClientService(
        [fresh.endpoint, broker.endpoint], retry=QUICK, on_connected=connected.append, **fresh.settings()
    )
    async with service as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "at the first", receipt=True)
        async with await coming(inbox) as message:
            assert message.text() == "at the first"
        await deferToThread(fresh.kill)
        await client.send(queue, "at the second", receipt=True)
        async with await coming(inbox) as message:
            assert message.text() == "at the second"
        assert len(connected) == 2


@awaited(120)
async def test_a_durable_subscription_is_resumed(fresh, topic, name):
    settings = fresh.settings(headers={"client-id": f"client-of-{name}"})
    async with StompClientService(fresh.endpoint, retry=QUICK, **settings) as client:
        reader = await client.subscribe(topic, durable=name, ack="client-individual")
        await client.send(topic, "before", headers=PERSISTENT, receipt=True)
        await (await coming(reader)).ack(receipt=True)
        await settle(fresh)
        await deferToThread(fresh.kill)
        await deferToThread(fresh.start)
        await client.send(topic, "after", headers=PERSISTENT, receipt=True)
        while (message := await coming(reader)).text() != "after":
            # RabbitMQ may have receipted an ACK, and know nothing of it after a kill.
            assert (fresh.name, message.redelivered) == ("rabbitmq", True)
            await message.ack()
        await message.ack(receipt=True)
        await reader.unsubscribe(forget=True)


@awaited(120)
async def test_answers_come_after_a_kill(fresh, queue):
    async with StompClientService(fresh.endpoint, retry=QUICK, **fresh.settings()) as client:
        await client.respond(queue, lambda message: message.text().upper())
        assert (await client.request(queue, "one")).text() == "ONE"
        await deferToThread(fresh.kill)
        await deferToThread(fresh.start)
        await client.whenConnected()
        assert (await client.request(queue, "two")).text() == "TWO"


@awaited(120)
async def test_a_broker_that_is_frozen_is_noticed_by_its_heart_beats(fresh, queue):
    lost: list[object] = []
    service = StompClientService(
        fresh.endpoint, retry=QUICK, on_lost=lost.append, **fresh.settings(heart_beat_ms=(1000, 1000))
    )
    async with service as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        fresh.signal(signal.SIGSTOP)
        try:
            await until(lambda: lost, 20)
        finally:
            fresh.signal(signal.SIGCONT)
        assert "heart-beat" in str(lost[0])
        await pause(0.5)
        await client.send(queue, "on it goes", receipt=True)
        async with await coming(inbox) as message:
            assert message.text() == "on it goes"
