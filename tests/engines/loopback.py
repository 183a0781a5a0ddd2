"""What the small servers of the tests have in common: HTTP on a loopback port, by hand, with a loop in a thread."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from selftaught.engines.local import LocalEngine


class Loopback:
    """Serves inside the running loop. ``pages`` are the JSON objects of its GET pages, by path without the query."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.port = 0
        self.pages: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Path and body of each POST."""
        self.num_requests = 0
        """Requests to go on with a prompt."""
        self.num_connections = 0
        self.num_said = 0
        """Tokens sampled."""
        self.num_streams = self.most_streams = 0
        self.key: str | None = None
        """What each request must send as its bearer token."""
        self.keys: set[str | None] = set()
        """What was sent as one."""
        self.refuse = 0
        """So many of the next POSTs fail with 503."""
        self.prompts: list[list[int]] = []
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a kill: open streams are cut in the middle."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.num_connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                sent = headers.get("authorization")
                self.keys.add(sent)
                if self.key is not None and sent != f"Bearer {self.key}":
                    self.reply(writer, {"error": "no entry"}, 401)
                    continue
                await self._answer(method, path.split("?")[0], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if method == "GET":
            self.reply(writer, self.pages.get(path), 200 if path in self.pages else 404)
            return
        if self.refuse:
            self.refuse -= 1
            self.reply(writer, {"error": "busy"}, 503)
            return
        asked = json.loads(body)
        self.asked.append((path, asked))
        await self.post(path, asked, writer)

    async def post(self, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Answer a POST."""
        raise NotImplementedError

    def reply(self, writer: asyncio.StreamWriter, value: dict[str, Any] | None, status: int = 200) -> None:
        """A whole answer."""
        data = json.dumps(value).encode()
        writer.write(f"HTTP/1.1 {status} so\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)

    def begin(self, writer: asyncio.StreamWriter) -> None:
        """Head of a streamed answer."""
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")

    def piece(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """A piece of a streamed answer; the empty one ends it."""
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class Thread:
    """A loop of its own, so that the client's blocking questions do not stop the server."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.call(server.start())

    def call(self, work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.call(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
