"""Serve a stand-in over real HTTP on a free loopback port, inside this process."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_START_SECONDS = 20
_STOP_SECONDS = 10

# Larger than any address line that a client may try, so that the stand-in itself, not the HTTP
# parser, gives the vendor's answer to one that is too long.
_LONGEST_HEADERS = 256 * 1024


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve `app` while the block runs; give its address, `http://127.0.0.1:PORT`.

    HTTP/1.1 with keep-alive. On leaving, open connections are closed and the port is free again.

    Raises:
        RuntimeError: the server did not come up.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="stand-in", daemon=True
        )
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=_WholeAnswers,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_LONGEST_HEADERS,
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(_START_SECONDS * 200):
        if server.started:
            return
        if not thread.is_alive():
            break
        pause.wait(0.005)
    raise RuntimeError("the stand-in's server did not start")


if TYPE_CHECKING:
    _Transport = asyncio.Transport
else:
    _Transport = object


class _JoinedWrites(_Transport):
    """A transport that sends what one step of the server writes as a single packet.

    Uvicorn writes headers and body apart; a client then wakes twice for every small answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def write(self, data: Any) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(bytes(data))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _WholeAnswers(H11Protocol):
    """Uvicorn's HTTP/1.1 over joined writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_JoinedWrites(transport, self.loop))
