"""Containers: interpreters that outlive a request, as OpenAI's ``/v1/containers`` has them.

A container's interpreter is that of a rollout, so it costs nothing until code must really run, and what deterministic
code printed is not computed again. It belongs to one API key. Its name ends in a code that is made with that key: another
key, or a guess, is told that there is no such container, and the server knows its own after a restart. State that is lost
(idle for too long, a restart, room made for others) is never restored silently: the next request with that name gets a
fresh interpreter, the first output says so to the model and to the client, and the item of the call bears our mark.

The table is only touched in the server's loop, the interpreters only in the engine's.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from selftaught.records import ToolInfo
from selftaught.rollouts.tools import RESTARTED as NOTICE
from selftaught.rollouts.tools import Interpreter, ToolBox
from selftaught.serve.errors import ApiError, invalid

DEFAULT_IDLE_MINUTES = 20
MAX_IDLE_MINUTES = 24 * 60
_PREFIX = "cntr_"
_TIME_DIGITS, _RANDOM_DIGITS, _CODE_DIGITS = 8, 16, 24
_MAX_GONE = 4_096
"""Containers that are gone whose end is remembered."""
MAX_NAME = 256
_SWEEP_S = 60.0
_SHARES = 4
"""A key with a fourth of all containers makes room among its own."""

RESTARTED = "the server was restarted"
EXPIRED = "it was not used for longer than it may idle"
EVICTED = "others needed the room"
ELSEWHERE = "the earlier code ran in another container"
KILLED = "an earlier cell ended the interpreter"
DELETED = "deleted"
_NOTICES = (NOTICE, "[new interpreter: ")
"""How an output begins before which state was lost: in a rollout's words, and in a session's."""


@dataclass(slots=True)
class Container:
    """One of them. ``owner`` is the API key that it belongs to, empty on a server without keys."""

    id: str
    owner: str
    name: str
    created_at: int
    idle_s: float
    last_active: float
    """By the clock of the table."""
    last_active_at: int
    interpreter: Interpreter | None = None
    lost: str = ""
    """Why the state of an earlier interpreter is gone; told once, with the first output."""
    num_busy: int = 0
    """Requests that use it now."""
    is_kept: bool = True
    """False for one that nobody has a reason to come back to: made for a request, and no code has run in it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a cell runs, in the engine's loop."""

    def object(self, status: str = "running") -> dict[str, Any]:
        """As OpenAI's API shows it."""
        return {
            "id": self.id, "object": "container", "created_at": self.created_at, "status": status, "name": self.name,
            "expires_after": {"anchor": "last_active_at", "minutes": max(1, round(self.idle_s / 60))},
            "last_active_at": self.last_active_at, "network_policy": {"type": "disabled"},
        }  # fmt: skip


class Containers:
    """All containers of a server. ``submit`` starts work in the engine's loop; ``make`` gives a fresh interpreter."""

    def __init__(
        self,
        make: Callable[[], Interpreter],
        submit: Callable[[Coroutine[Any, Any, None]], object],
        *,
        max_containers: int = 64,
        idle_s: float = DEFAULT_IDLE_MINUTES * 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._submit, self._clock = make, submit, clock
        self.max_containers, self.idle_s = max_containers, idle_s
        self._live: OrderedDict[str, Container] = OrderedDict()
        """Least recently used first."""
        self._gone: OrderedDict[str, str] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._live)

    # ---------------------------------------------------------------------------------------------------- the requests

    def create(self, owner: str, name: str = "", idle_s: float | None = None) -> Container:
        """A new one. ApiError 429 where all that there may be are in use."""
        return self._add(f"{_PREFIX}{_fresh(owner)}", owner, name, idle_s, "")

    def lend(self, owner: str, lost: str = "") -> Container:
        """A new one for a request that names none. It is only kept if code runs in it."""
        container = self._add(f"{_PREFIX}{_fresh(owner)}", owner, "", None, lost)
        container.is_kept = False
        return container

    def find(self, owner: str, container_id: str) -> Container:
        """The one that a request names: as it is, or with a fresh interpreter where its state was lost.

        ApiError 404 for one that never was, that was deleted, or that belongs to another key.
        """
        self.sweep()
        found = self._live.get(container_id)
        if found is not None and found.owner == owner:
            return found
        reason = self._reason(owner, container_id)
        if reason == DELETED:
            raise _not_found(container_id)
        return self._add(container_id, owner, "", None, reason)

    def is_of(self, owner: str, container_id: str) -> bool:
        """Whether ``container_id`` was made for ``owner`` and not deleted."""
        return _is_of(owner, container_id) and self._gone.get(container_id) != DELETED

    def show(self, owner: str, container_id: str) -> dict[str, Any]:
        """The object of one, ``expired`` where its state was lost. ApiError 404 as `find`."""
        self.sweep()
        found = self._live.get(container_id)
        if found is not None and found.owner == owner:
            return found.object()
        if self._reason(owner, container_id) == DELETED:
            raise _not_found(container_id)
        created = _created(container_id)
        return Container(container_id, owner, "", created, self.idle_s, 0.0, created).object("expired")

    def listed(self, owner: str) -> list[Container]:
        """Those of a key, the oldest first."""
        self.sweep()
        found = [container for container in self._live.values() if container.owner == owner]
        return sorted(found, key=lambda container: (container.created_at, container.id))

    def delete(self, owner: str, container_id: str) -> None:
        """End one, after the cell that it runs. ApiError 404 as `find`."""
        self.show(owner, container_id)
        self._remove(container_id, DELETED)

    def enter(self, container: Container) -> None:
        """A request begins to use ``container``, which cannot expire until `leave`."""
        container.num_busy += 1

    def leave(self, container: Container) -> None:
        """The request is over."""
        container.num_busy -= 1
        container.last_active, container.last_active_at = self._clock(), int(time.time())
        if self._live.get(container.id) is container:
            self._live.move_to_end(container.id)
            if not container.is_kept and not container.num_busy:
                del self._live[container.id]

    def sweep(self) -> None:
        """End those that were idle for too long."""
        now = self._clock()
        for container in list(self._live.values()):
            if not container.num_busy and now - container.last_active > container.idle_s:
                self._remove(container.id, EXPIRED)

    def watch(self) -> None:
        """In a running event loop: `sweep` now and as long as there is something to sweep."""
        self.sweep()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._live:
            wait_s = min(_SWEEP_S, *(container.idle_s for container in self._live.values())) + 0.01
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.watch)

    def close(self) -> None:
        """End all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for container_id in list(self._live):
            self._remove(container_id, RESTARTED)

    # ------------------------------------------------------------------------------------------------------ internals

    def _add(self, container_id: str, owner: str, name: str, idle_s: float | None, lost: str) -> Container:
        self.sweep()
        if len(self._live) >= self.max_containers:
            idle = self._victim(owner)
            if idle is None:
                raise ApiError(
                    429, f"All {self.max_containers} containers are in use; try again later.", code="too_many_containers",
                    headers={"Retry-After": "5"},
                )  # fmt: skip
            self._remove(idle.id, EVICTED)
        seconds, now = self.idle_s if idle_s is None else idle_s, int(time.time())
        container = Container(container_id, owner, name, _created(container_id), seconds, self._clock(), now, lost=lost)
        container.interpreter = self._make()
        self._live[container_id] = container
        self._gone.pop(container_id, None)
        return container

    def _victim(self, owner: str) -> Container | None:
        """The idle one that makes room: the caller's own if its key has a good share of them, so that no key can drive out
        all of another's; the least recently used."""
        idle = [container for container in self._live.values() if not container.num_busy]
        own = [container for container in idle if container.owner == owner]
        num_own = sum(container.owner == owner for container in self._live.values())
        if num_own >= max(1, self.max_containers // _SHARES):
            return next(iter(own), None)
        return next(iter(idle), None)

    def _reason(self, owner: str, container_id: str) -> str:
        """Why one of ``owner``'s is not there. ApiError 404 for one that is not, and never was, of ``owner``."""
        if not _is_of(owner, container_id) or container_id in self._live:
            raise _not_found(container_id)
        return self._gone.get(container_id, RESTARTED)

    def _remove(self, container_id: str, reason: str) -> None:
        container = self._live.pop(container_id, None)
        self._gone[container_id] = reason
        self._gone.move_to_end(container_id)
        while len(self._gone) > _MAX_GONE:
            self._gone.popitem(last=False)
        if container is not None and container.interpreter is not None:
            self._submit(_end(container, container.interpreter))
            container.interpreter = None


async def _end(container: Container, interpreter: Interpreter) -> None:
    """In the engine's loop: end an interpreter, after the cell that it runs."""
    async with container.lock:
        await interpreter.close()


class ContainerTools(ToolBox):
    """The toolbox of one turn whose interpreter is a container's. ``images`` and ``notices`` are by number of the call."""

    def __init__(self, box: ToolBox, container: Container) -> None:
        super().__init__(box.sandbox, box.settings, box.cache)
        self.container = container
        self.images: dict[int, tuple[bytes, ...]] = {}
        self.notices: dict[int, str] = {}
        """Why the interpreter was fresh when the call began, though code had run before."""

    def interpreter(self) -> Interpreter:
        """The container's, which the turn cannot close."""
        return _Lent(self)


class _Lent(Interpreter):
    """A container's interpreter in the hands of one turn."""

    def __init__(self, tools: ContainerTools) -> None:
        super().__init__(tools)
        self._tools = tools
        self._own = Interpreter(tools)
        self._is_alone = False

    async def run(self, code: str) -> ToolInfo:
        """Run one cell in the container, after those that other requests have begun there."""
        tools, container = self._tools, self._tools.container
        tools.num_calls += 1
        async with container.lock:
            interpreter = container.interpreter
            if interpreter is None:  # deleted while the turn was under way: it goes on with an interpreter of its own
                if not self._is_alone:
                    self._is_alone = True
                    container.lost = "the container was deleted"
                interpreter = self._own
            if container.lost:
                await interpreter.forget()
            interpreter.on_output = tools.on_output
            container.is_kept = True
            info = await interpreter.run(code)
            if info.output.startswith(_NOTICES):
                tools.notices[tools.num_calls], container.lost = container.lost or KILLED, ""
            if interpreter.images:
                tools.images[tools.num_calls] = interpreter.images
            return info

    async def close(self) -> None:
        """The container keeps its interpreter."""
        await self._own.close()


def idle_seconds(expires_after: Any) -> float | None:
    """Seconds from ``expires_after`` of a request; None where it says nothing."""
    if expires_after is None:
        return None
    minutes = expires_after.get("minutes") if isinstance(expires_after, dict) else None
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MAX_IDLE_MINUTES:
        raise invalid(
            f'expires_after must be {{"anchor": "last_active_at", "minutes": 1 to {MAX_IDLE_MINUTES}}}.',
            "expires_after",
        )
    if expires_after.get("anchor") != "last_active_at":
        raise invalid('expires_after.anchor must be "last_active_at".', "expires_after.anchor")
    return minutes * 60.0


# --------------------------------------------------------------------------------------------------------------- names


def _fresh(owner: str) -> str:
    head = f"{int(time.time()):0{_TIME_DIGITS}x}{secrets.token_hex(_RANDOM_DIGITS // 2)}"
    return head + _code(owner, head)


def _code(owner: str, head: str) -> str:
    key = hashlib.sha256(b"selftaught container\0" + owner.encode("utf-8", "surrogatepass")).digest()
    return hmac.new(key, head.encode("ascii"), hashlib.sha256).hexdigest()[:_CODE_DIGITS]


def _is_of(owner: str, container_id: str) -> bool:
    """Whether this is a name that ``owner``'s key was used to make."""
    digits = container_id.removeprefix(_PREFIX)
    if not container_id.startswith(_PREFIX) or len(digits) != _TIME_DIGITS + _RANDOM_DIGITS + _CODE_DIGITS:
        return False
    if not all(digit in "0123456789abcdef" for digit in digits):
        return False
    head, code = digits[:-_CODE_DIGITS], digits[-_CODE_DIGITS:]
    return hmac.compare_digest(code, _code(owner, head))


def _created(container_id: str) -> int:
    return int(container_id[len(_PREFIX) : len(_PREFIX) + _TIME_DIGITS], 16)


def _not_found(container_id: str) -> ApiError:
    return ApiError(
        404, f"Container with id {container_id[:80]!r} not found.", param="container", code="container_not_found"
    )
