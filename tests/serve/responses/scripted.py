"""A real server on a loopback port, whose model says what the question tells it to: code between ⟦ and ⟧, in order."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selftaught.engines.scripted import ScriptedEngine, ScriptedSequence
from selftaught.manner import read_manner
from selftaught.sandbox import Sandbox, SandboxSettings
from selftaught.serve.backend import Backend
from selftaught.serve.models import catalog_of
from selftaught.serve.options import ServeOptions
from selftaught.serve.responses.answer import Service
from selftaught.serve.server import Server as Serving
from selftaught.tokens.codec import Codec
from selftaught.tokens.folder import embedded_folder

CODE = re.compile(r"⟦(.*?)⟧", re.DOTALL)


def script(sequence: ScriptedSequence) -> str | None:
    """Each ⟦code⟧ of the last question as a block of its own, then an answer that repeats the number of blocks."""
    text = sequence.engine.codec.decode(sequence.ids)
    question = text.rpartition("<|im_start|>user\n")[2].partition("<|im_end|>")[0]
    blocks = CODE.findall(question)
    at = sequence.said
    if at < len(blocks):
        return f"Step {at + 1}.\n\n```python\n{blocks[at]}\n```\n"
    if at == len(blocks):
        return f"Now I know.\n</think>\n\nThe answer is {len(blocks)}."
    return None


class ScriptedBackend(Backend):
    """A backend with the toy's tokenizer, a `ScriptedEngine` and a small sandbox."""

    sandbox_settings = SandboxSettings(preload=(), light=False, timeout_s=30)

    async def _open(self) -> None:
        self.engine = ScriptedEngine(Codec(embedded_folder()), script, max_context=20_000)
        self.manner = read_manner(embedded_folder())
        self.sandbox = await Sandbox(self.sandbox_settings).__aenter__()


class Server:
    """A running server: ``url``, ``service``, ``backend``. ``options`` are those of `ServeOptions`."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        import uvicorn

        from selftaught.serve.app import create_app

        self.backend = backend
        catalog = catalog_of("scripted", backend.settings, backend.manner, 20_000)
        self.app = create_app(Serving(backend, catalog, ServeOptions(**options)))
        self.service: Service = self.app.state.responses
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop serving; the backend goes on."""
        self._server.should_exit = True
        self._thread.join(20)


@contextmanager
def opened(backend: Backend) -> Iterator[Backend]:
    """The backend while it is open."""
    backend.start()
    try:
        yield backend
    finally:
        backend.close()
