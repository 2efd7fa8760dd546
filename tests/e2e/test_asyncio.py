"""The client in programs of asyncio: each in a process of its own, as a process has one reactor."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from stomp_tx.testing import BrokerProcess
from tests.e2e.running import PATIENCE, environment


def run(code: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(code), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


def test_tasks_handlers_loops_and_time_limits(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys
        from stomp_tx.client import ReplyTimeout, connect

        async def main():
            async with await connect(sys.argv[1]) as client:
                async def shout(message):
                    await asyncio.sleep(0.01)
                    return message.text().upper()

                await client.respond("/queue/asyncio", shout)
                print((await client.request("/queue/asyncio", "hello")).text())
                for waiting in (
                    client.request("/queue/nobody", "", timeout=0.1),
                    asyncio.wait_for(client.request("/queue/nobody", ""), 0.1),
                ):
                    try:
                        await waiting
                    except (ReplyTimeout, asyncio.TimeoutError) as error:
                        print(type(error).__name__)
                heard = await client.subscribe("/queue/loop", ack="client-individual")
                async with client.transaction() as transaction:
                    await transaction.send("/queue/loop", "one")
                    await transaction.send("/queue/loop", "two")
                async for message in heard:
                    async with message:
                        print(message.text())
                    if message.text() == "two":
                        break

        asyncio.run(main())
    """
    assert run(code, stomp_broker.endpoint).split() == ["HELLO", "ReplyTimeout", "TimeoutError", "one", "two"]


def test_a_service_by_a_name_that_is_looked_up(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys, threading
        from stomp_tx.client import StompClientService

        async def main():
            async with StompClientService(["tcp:no-such-host.invalid:1", sys.argv[1]]) as client:
                await client.send("/queue/service", "x", receipt=True)
                print(client.connected)

        asyncio.run(main())
        print(threading.active_count())
    """
    assert run(code, f"tcp:localhost:{stomp_broker.port()}").split() == ["True", "1"]


def test_what_the_user_gives_are_tasks_of_asyncio_too(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys
        from stomp_tx.client import StompClientService

        async def credentials():
            await asyncio.sleep(0.01)
            return "ann", "secret"

        async def handler(message):
            await asyncio.sleep(0.01)
            print("handled", message.text())

        async def connected(client):
            await asyncio.sleep(0.01)
            print("connected")
            await client.subscribe("/queue/tasks", handler)
            await client.send("/queue/tasks", "one", receipt=True)

        async def main():
            service = StompClientService(
                sys.argv[1],
                credentials=credentials,
                on_connected=lambda client: asyncio.ensure_future(connected(client)),
            )
            async with service:
                await asyncio.sleep(0.5)
            service = StompClientService(sys.argv[1], on_connected=connected)
            async with service as client:
                await asyncio.sleep(0.5)

        asyncio.run(main())
    """
    said = run(code, stomp_broker.endpoint).splitlines()
    assert said == ["connected", "handled one", "connected", "handled one"]


def test_messages_that_come_when_the_time_is_over_are_not_lost(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys
        from stomp_tx.client import connect

        async def main():
            async with await connect(sys.argv[1]) as client, await connect(sys.argv[1]) as other:
                inbox = await client.subscribe("/queue/in-time")

                async def send():
                    for number in range(1000):
                        await other.send("/queue/in-time", str(number))
                        await asyncio.sleep(0)

                sending = asyncio.ensure_future(send())
                got = []
                while len(got) < 1000:
                    try:
                        got.append(int((await asyncio.wait_for(inbox.next(), 0.0005)).text()))
                    except asyncio.TimeoutError:
                        pass
                await sending
                print(got == list(range(1000)))

        asyncio.run(main())
    """
    assert run(code, stomp_broker.endpoint).split() == ["True"]


def test_a_service_that_was_made_outside_the_loop_says_so(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys
        from stomp_tx.client import StompClientService, StompError

        service = StompClientService(sys.argv[1])

        async def main():
            try:
                async with service:
                    pass
            except StompError as error:
                print(error.summary)

        asyncio.run(main())
    """
    assert "reactor is not this event loop's" in run(code, stomp_broker.endpoint)


def test_a_reactor_that_is_another_s(stomp_broker: BrokerProcess) -> None:
    code = """
        import asyncio, sys
        from twisted.internet import reactor
        from stomp_tx.client import StompError, connect

        async def main():
            try:
                await connect(sys.argv[1])
            except StompError as error:
                print(error.detail)

        asyncio.run(main())
    """
    assert "call install_asyncio() in the loop before" in run(code, stomp_broker.endpoint)
