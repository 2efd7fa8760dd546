"""What the drivers of Python's clients share: requests in, answers out, what was heard in between."""

import asyncio
import base64
import inspect
import json
import sys

PATIENCE = 10.0  # seconds, for anything the broker has to say


class Failed(Exception):
    pass


async def serve(connection_class):
    """Do what stdin asks, until its end."""
    connections = {}
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        try:
            result = await _do(json.loads(line), connections, connection_class)
            answer = {"result": result}
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=_octets), flush=True)


async def _do(request, connections, connection_class):
    number = request.pop("connection")
    if number not in connections:
        connections[number] = connection_class()
    if "body" in request:
        request["body"] = base64.b64decode(request["body"])
    result = getattr(connections[number], request.pop("do"))(**request)
    return await result if inspect.isawaitable(result) else result


def _octets(body):
    return base64.b64encode(body).decode()


def event(kind, headers=None, body=b"", key=None):
    return {"kind": kind, "headers": dict(headers or {}), "body": body, "key": key}
