"""A HubSpot stand-in over HTTP, and a front before it that can spoil the next answers."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connectors.hubspot import HubSpot, unpaced
from standins.hubspot import HubSpotStandIn
from standins.server import serve


@dataclass
class Request:
    """A request as it came in."""

    method: str
    path: str
    query: str
    headers: dict
    client: tuple
    body: bytes = b""

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Fault:
    """What to answer to the next request whose path ends so, instead of the stand-in's answer."""

    ending: str
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    is_cut: bool = False
    is_after: bool = False
    seconds: float = 0


class Front:
    """An ASGI app before the stand-in's: keeps the requests, spoils the answers it was told to."""

    def __init__(self, app):
        self.app, self.requests, self.faults = app, [], deque()

    def answer(self, ending="", status=200, body=b"", *, times=1, **more):
        """Spoil the answer to the next request to a path with this ending."""
        plain = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.faults.extend([Fault(ending, status, plain, **more)] * times)

    def sent(self, ending):
        return [request for request in self.requests if request.path.endswith(ending)]

    async def __call__(self, scope, receive, send):
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            {name.decode(): value.decode() for name, value in scope["headers"]},
            tuple(scope["client"]),
        )
        self.requests.append(request)
        messages = []
        while True:
            messages.append(await receive())
            request.body += messages[-1].get("body", b"")
            if not messages[-1].get("more_body"):
                break
        fault = next((one for one in self.faults if request.path.endswith(one.ending)), None)
        replay = iter(messages)

        async def again():
            message = next(replay, None)
            return await receive() if message is None else message

        if fault is None:
            await self.app(scope, again, send)
            return
        self.faults.remove(fault)
        await asyncio.sleep(fault.seconds)
        if fault.is_after:
            await self.app(scope, again, _nowhere)
        length = len(fault.body) + (10 if fault.is_cut else 0)
        headers = {"content-length": str(length), "content-type": "application/json"}
        start = {
            "type": "http.response.start",
            "status": fault.status,
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in (headers | fault.headers).items()
            ],
        }
        await send(start)
        await send({"type": "http.response.body", "body": fault.body})


async def _nowhere(message):
    """Take an answer that is lost on its way."""


@pytest.fixture
def noon():
    return datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def standin():
    return HubSpotStandIn(now=lambda: datetime(2026, 11, 2, 18, 0, tzinfo=UTC))


@pytest.fixture
def front(standin):
    return Front(standin.app())


class Stage:
    """Serves whichever app is on it: one server for all tests, since stopping one takes a while."""

    app = None

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def served_stage():
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def base_url(front, served_stage):
    stage, url = served_stage
    stage.app = front
    return url


@pytest.fixture
def slept():
    """Keep how long the connector would have waited before it asked again."""
    return []


@pytest.fixture
def connect(base_url, slept):
    """Give a function that connects, by default with the stand-in's token and without any pace."""
    opened = []
    usual = {"pacers": unpaced(), "attempts": 3, "sleep": slept.append}

    def connect(token=None, **more):
        opened.append(
            HubSpot(
                base_url,
                SecretStr(token or "standin-token"),
                **usual | more,
            )
        )
        return opened[-1]

    yield connect
    for hubspot in opened:
        hubspot.close()


@pytest.fixture
def hubspot(connect):
    return connect()
