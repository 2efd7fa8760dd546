"""Messages, acknowledgements, transactions, answers: what the client promises, with each kind of broker."""

from __future__ import annotations

import pytest

from stomp_tx.client import LoginRefused, StompError
from tests.interop.brokers.waiting import awaited, coming, pause, until, within

pytestmark = pytest.mark.timeout(300)  # brokers start within it

SERVERS = {"stomp-tx": "stomp-tx/", "rabbitmq": "RabbitMQ/", "activemq": "ActiveMQ/"}


@pytest.mark.parametrize("version", ("1.0", "1.1", "1.2"))
@awaited()
async def test_send_with_a_receipt_and_receive(broker, dial, queue, version):
    async with await dial(versions=(version,)) as client:
        assert client.version == version
        assert client.headers["server"].startswith(SERVERS[broker.name])
        await client.send(queue, "hello", receipt=True)
        inbox = await client.subscribe(queue, ack="client")
        message = await coming(inbox)
        assert message.text() == "hello"
        assert message.destination == queue
        await message.ack(receipt=True)
        await inbox.unsubscribe()


@awaited()
async def test_headers_and_octets_arrive_as_they_are(broker, dial, queue):
    body = bytes(range(256)) * 1000
    headers = {"colour": "red: dark\\ \n", "größe": "ü"}
    async with await dial() as client:
        inbox = await client.subscribe(queue)
        await client.send(queue, body, content_type="application/x-octets", headers=headers, receipt=True)
        message = await coming(inbox)
        assert message.body == body
        assert message.headers["content-type"] == "application/x-octets"
        assert {name: message.headers.get(name) for name in headers} == headers
        assert ("receipt" in message.headers) == (broker.name == "rabbitmq")  # which leaves SEND's own there


@awaited()
async def test_json(dial, queue):
    async with await dial() as client:
        inbox = await client.subscribe(queue)
        await client.send(queue, {"a": [1, 2]}, receipt=True)
        assert (await coming(inbox)).value() == {"a": [1, 2]}


@awaited()
async def test_a_wrong_passcode_is_refused(dial):
    with pytest.raises(LoginRefused):
        await dial(passcode="wrong")


@awaited()
async def test_text_without_content_length(broker, dial, queue):
    """ActiveMQ gives a TextMessage without that header, and a BytesMessage with it."""
    async with await dial() as client:
        inbox = await client.subscribe(queue)
        await client.send(queue, "text: ü", content_length=False, receipt=True)
        await client.send(queue, "octets", receipt=True)
        text, octets = await coming(inbox), await coming(inbox)
        assert (text.text(), octets.text()) == ("text: ü", "octets")
        assert "content-length" in octets.headers
        assert ("content-length" in text.headers) == (broker.name != "activemq")


@awaited()
async def test_what_was_acknowledged_is_gone_and_the_rest_comes_again(dial, queue):
    async with await dial() as client:
        for number in range(4):
            await client.send(queue, f"{number}", receipt=True)
        inbox = await client.subscribe(queue, ack="client-individual")
        messages = [await coming(inbox) for _ in range(4)]
        assert [message.text() for message in messages] == ["0", "1", "2", "3"]
        await messages[2].ack(receipt=True)  # that one alone
        await messages[0].ack(receipt=True)
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        again = [await coming(inbox), await coming(inbox)]
        assert sorted(message.text() for message in again) == ["1", "3"]
        assert await within(inbox, 0.5) is None
        assert all(message.redelivered for message in again)
        for message in again:
            await message.ack(receipt=True)


@awaited()
async def test_an_ack_in_mode_client_covers_those_before(dial, queue):
    async with await dial() as client:
        for number in range(3):
            await client.send(queue, f"{number}", receipt=True)
        inbox = await client.subscribe(queue, ack="client")
        messages = [await coming(inbox) for _ in range(3)]
        await messages[1].ack(receipt=True)
    async with await dial() as client:
        inbox = await client.subscribe(queue)
        assert (await coming(inbox)).text() == "2"
        assert await within(inbox, 0.5) is None


@awaited()
async def test_nack(broker, dial, queue):
    """RabbitMQ and this project's broker give it to somebody again; with ActiveMQ it is a dead letter."""
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "bad", headers={"persistent": "true"}, receipt=True)
        message = await coming(inbox)
        await message.nack(receipt=True)
        if broker.name == "activemq":
            assert await within(inbox, 0.5) is None
            dead = await client.subscribe("/queue/ActiveMQ.DLQ")
            letter = await coming(dead)
            assert (letter.text(), letter.headers["original-destination"]) == ("bad", queue)
        else:
            again = await coming(inbox)
            assert (again.text(), again.redelivered) == ("bad", True)
            await again.ack(receipt=True)


@awaited()
async def test_nack_for_good(broker, dial, queue):
    """What does not persist is no dead letter of ActiveMQ; RabbitMQ is told not to give it to others."""
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "bad", receipt=True)
        if broker.name == "stomp-tx":
            return  # its rule is a setting, tested elsewhere
        await (await coming(inbox)).nack(headers={"requeue": "false"}, receipt=True)
        dead = await client.subscribe("/queue/ActiveMQ.DLQ")
        assert await within(inbox, 0.5) is None
        assert await within(dead, 0.5) is None


@awaited()
async def test_a_selector(broker, dial, queue):
    """RabbitMQ knows none, and does not say so."""
    async with await dial() as client:
        inbox = await client.subscribe(queue, headers={"selector": "colour = 'red'"})
        for colour in ("blue", "red"):
            await client.send(queue, colour, headers={"colour": colour}, receipt=True)
        assert (await coming(inbox)).text() == ("blue" if broker.name == "rabbitmq" else "red")


@awaited()
async def test_a_pattern_of_topics(broker, dial, topic):
    patterns = {"rabbitmq": (".*", ".#"), "activemq": (".*", ".>"), "stomp-tx": (".*", ".#", ".>")}
    async with await dial() as client:
        for pattern in patterns[broker.name]:
            inbox = await client.subscribe(topic + pattern)
            await client.send(f"{topic}.a.b", "deep", receipt=True)
            await client.send(f"{topic}.a", "flat", receipt=True)
            if pattern != ".*":
                assert (await coming(inbox)).text() == "deep"
            assert (await coming(inbox)).text() == "flat"
            await inbox.unsubscribe()


@pytest.mark.parametrize("ack", ("client-individual", "client", "auto"))
@awaited()
async def test_prefetch_bounds_what_arrives_unacknowledged(dial, queue, ack):
    async with await dial() as client:
        for number in range(10):
            await client.send(queue, f"{number}", receipt=True)
        # In mode auto what waits in the client counts; nobody takes anything yet.
        inbox = await client.subscribe(queue, ack=ack, prefetch=3)
        async with await dial() as other:
            rest = await other.subscribe(queue, prefetch=100)
            seen = []
            while len(seen) < 7:
                seen.append((await coming(rest)).text())
            assert await within(rest, 0.5) is None
            assert sorted(seen) == [f"{number}" for number in range(3, 10)]
            await rest.unsubscribe()
        assert [(await coming(inbox)).text() for _ in range(3)] == ["0", "1", "2"]


@awaited()
async def test_as_many_are_acknowledged_so_many_more_come(dial, queue):
    async with await dial() as client:
        for number in range(20):
            await client.send(queue, f"{number}", receipt=True)
        inbox = await client.subscribe(queue, ack="client-individual", prefetch=5)
        held = [await coming(inbox) for _ in range(5)]
        assert await within(inbox, 0.5) is None
        await held[0].ack(receipt=True)
        await held[1].ack(receipt=True)
        assert [(await coming(inbox)).text() for _ in range(2)] == ["5", "6"]
        assert await within(inbox, 0.5) is None


@awaited()
async def test_the_end_of_a_subscription(dial, queue):
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "first", receipt=True)
        await coming(inbox)
        await inbox.unsubscribe()
        await client.send(queue, "second", receipt=True)
        other = await client.subscribe(queue)
        assert sorted([(await coming(other)).text(), (await coming(other)).text()]) == ["first", "second"]


@pytest.mark.parametrize("how", ({}, {"ack": "client-individual"}, {"prefetch": 0}), ids=str)
@awaited()
async def test_subscriptions_end_while_messages_are_on_their_way(dial, queue, how):
    """And nothing is lost by it, but for what nobody has to acknowledge (prefetch=0 in mode auto)."""
    count = 500
    async with await dial() as client, await dial() as other:
        for number in range(count):
            await other.send(queue, f"{number}")
        await other.send(f"{queue}-last", "", receipt=True)
        seen = []
        for _ in range(20):
            inbox = await client.subscribe(queue, **how)
            message = await within(inbox, 1.0)
            if message is None:
                break  # all of them were on their way to one that has ended
            seen.append(message.text())
            if how.get("ack"):
                await message.ack()
            await inbox.unsubscribe()
        await other.subscribe(queue, lambda message: seen.append(message.text()))
        if "prefetch" not in how:
            await until(lambda: len(seen) == count)
            assert sorted(seen, key=int) == [f"{number}" for number in range(count)]
        await pause(0.2)
        assert client.connected


@awaited()
async def test_a_topic_is_for_everybody(dial, topic):
    async with await dial() as ann, await dial() as bob:
        both = [await ann.subscribe(topic), await bob.subscribe(topic)]
        await ann.send(topic, "news", receipt=True)
        assert [(await coming(one)).text() for one in both] == ["news", "news"]


# -- durable subscriptions --------------------------------------------------------------------------------


@awaited()
async def test_a_durable_subscription_outlives_its_connection(dial, topic, name):
    who = {"headers": {"client-id": f"client-of-{name}"}}
    async with await dial(**who) as ann:
        await ann.subscribe(topic, durable=name)
    async with await dial() as bob:
        for number in range(3):
            await bob.send(topic, f"{number}", headers={"persistent": "true"}, receipt=True)
    async with await dial(**who) as ann:
        reader = await ann.subscribe(topic, durable=name, ack="client-individual")
        for number in range(3):
            message = await coming(reader)
            assert message.text() == f"{number}"
            await message.ack(receipt=True)
        await reader.unsubscribe()  # it goes on to be kept
    async with await dial() as bob:
        await bob.send(topic, "after that", headers={"persistent": "true"}, receipt=True)
    async with await dial(**who) as ann:
        reader = await ann.subscribe(topic, durable=name, ack="client-individual")
        assert (await coming(reader)).text() == "after that"


@awaited()
async def test_forgetting_a_durable_subscription(dial, topic, name):
    who = {"headers": {"client-id": f"client-of-{name}"}}
    async with await dial(**who) as ann:
        reader = await ann.subscribe(topic, durable=name)
        await reader.unsubscribe(forget=True)
        await ann.send(topic, "nobody has asked for this", headers={"persistent": "true"}, receipt=True)
    async with await dial(**who) as ann:
        reader = await ann.subscribe(topic, durable=name)
        assert await within(reader, 1.0) is None
        await ann.send(topic, "new", headers={"persistent": "true"}, receipt=True)
        assert (await coming(reader)).text() == "new"
        await reader.unsubscribe(forget=True)


# -- questions and answers --------------------------------------------------------------------------------


@awaited()
async def test_request_and_respond(dial, queue):
    async with await dial() as ann, await dial() as bob:
        await bob.respond(queue, lambda message: sum(message.value()))
        assert (await ann.request(queue, [1, 2, 3])).value() == 6
        asked = [ann.request(queue, [number, number]) for number in range(50)]
        assert [(await answer).value() for answer in asked] == [2 * number for number in range(50)]
        own = [bob.request(queue, [number]) for number in range(5)]  # who answers may ask as well
        assert [(await answer).value() for answer in own] == list(range(5))


# -- transactions -----------------------------------------------------------------------------------------


@awaited()
async def test_a_transaction_commits(dial, queue):
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "order", receipt=True)
        order = await coming(inbox)
        async with await dial() as other:
            results = await other.subscribe(f"{queue}-results")
            async with client.transaction() as transaction:
                await transaction.send(f"{queue}-results", "1")
                await transaction.send(f"{queue}-results", "2")
                await transaction.ack(order)
                assert await within(results, 0.5) is None  # nothing before its end
            assert [(await coming(results)).text() for _ in range(2)] == ["1", "2"]
    async with await dial() as client:
        assert await within(await client.subscribe(queue), 0.5) is None  # the order is acknowledged


@awaited()
async def test_a_transaction_aborts(dial, queue):
    async with await dial() as client:
        inbox = await client.subscribe(queue, ack="client-individual")
        await client.send(queue, "order", receipt=True)
        order = await coming(inbox)
        with pytest.raises(ZeroDivisionError):
            async with client.transaction() as transaction:
                await transaction.send(f"{queue}-results", "wrong")
                await transaction.ack(order)
                raise ZeroDivisionError
        results = await client.subscribe(f"{queue}-results")
        assert await within(results, 0.5) is None
        await order.ack(receipt=True)  # it may be acknowledged again
    async with await dial() as client:
        assert await within(await client.subscribe(queue), 0.5) is None


# -- connections ------------------------------------------------------------------------------------------


@awaited()
async def test_an_idle_connection_with_heart_beats_lives(dial, queue):
    async with await dial(heart_beat_ms=(1000, 1000)) as client:
        assert client.headers["heart-beat"] != "0,0"
        await pause(5)
        assert client.connected
        await client.send(queue, "still here", receipt=True)


@awaited()
async def test_tls(broker, queue):
    from stomp_tx.client import connect

    async with await connect(broker.tls_endpoint, ca_file=broker.ca_file, **broker.settings()) as client:
        inbox = await client.subscribe(queue)
        await client.send(queue, "secret", receipt=True)
        assert (await coming(inbox)).text() == "secret"


@awaited()
async def test_tls_of_somebody_else(broker, tmp_path):
    from stomp_tx.client import connect
    from stomp_tx.net.tls.development_certificates import Authority

    Authority(str(tmp_path)).server()
    with pytest.raises(StompError, match="certificate"):
        await connect(broker.tls_endpoint, ca_file=str(tmp_path / "ca.pem"), **broker.settings())
