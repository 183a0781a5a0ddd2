"""What serves at a list of base URLs: asked once, before an engine is made of it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.engines.dialects import Dialect, Served, dialect_of
from selftaught.errors import EngineError
from selftaught.keys import MODEL_KEY
from selftaught.tokens.codec import END_TOKENS, THINK_CLOSE, THINK_OPEN, Codec
from selftaught.tokens.folder import tokenizer_folder

_log = logging.getLogger("selftaught.engines")

_PAGE_S, _ANSWER_S = 10.0, 60.0
"""Longest wait for a page, and for something that the server may have to compute."""
_PROBE = (
    "The sum of 12 and 345 is 357, isn't it?\n\n```python\nprint('naïve', 1.5e-3)\n```\n"
    f"{THINK_OPEN}{THINK_CLOSE}<|im_end|>"
)
"""Text whose ids are compared: words, numbers, a contraction, code, line ends, a letter of two bytes, and strings that
are control tokens on both sides or on none."""
_TEXT_ALLOWED = (
    "--allow-text takes the text; such trajectories are marked, and trained on only after curate --allow-text-only."
)


class Page:
    """One server, as dialects ask it. Each page is fetched once."""

    def __init__(self, httpx: Any, client: Any, url: str) -> None:
        self._httpx, self._client, self.url = httpx, client, url
        self._known: dict[str, dict[str, Any] | None] = {}

    def get(self, path: str) -> dict[str, Any] | None:
        """A page as a JSON object; None when there is no such page."""
        return self._ask(path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """What is answered to ``body``; None when there is no such page."""
        return self._ask(path, body)

    def _ask(self, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        key = path + ("" if body is None else json.dumps(body))
        if key not in self._known:
            try:
                url = self.url + path
                if body is None:
                    answer = self._client.get(url, timeout=_PAGE_S)
                else:
                    answer = self._client.post(url, json=body, timeout=_ANSWER_S)
                found = answer.json() if answer.status_code == 200 else None
            except (self._httpx.HTTPError, ValueError):
                found = None
            self._known[key] = found if isinstance(found, dict) else None
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Found:
    """The servers of one model."""

    dialect: type[Dialect]
    served: Served
    """Of all servers: the shortest context, and the slots of the one that has the fewest."""
    codec: Codec


def ask_servers(
    httpx: Any,
    urls: Sequence[str],
    headers: dict[str, str],
    *,
    model_name: str | None = None,
    tokenizer: str | None = None,
    allow_text: bool = False,
) -> Found:
    """What all ``urls`` serve. EngineError says which one does not answer, or what does not fit together."""
    found: list[tuple[type[Dialect], Served]] = []
    codec: Codec | None = None
    with httpx.Client(headers=headers) as client:
        for url in urls:
            page = Page(httpx, client, url)
            model = _model_of(httpx, client, url, model_name)
            dialect = dialect_of(model, page, allow_text)
            if dialect.inexact and not allow_text:
                raise EngineError(f"{url}: {dialect.inexact}. {_TEXT_ALLOWED}")
            served = dialect.served(model, page)
            if found and (dialect, served.name) != (found[0][0], found[0][1].name):
                raise EngineError(
                    f"{url} serves {served.name} ({dialect.kind}), {urls[0]} serves {found[0][1].name} "
                    f"({found[0][0].kind}); expected one model and one kind of server."
                )
            codec = codec or codec_of(served.root, tokenizer)
            _compare(codec, dialect, served, page)
            found.append((dialect, served))
    if codec is None:
        raise EngineError("the list of base URLs is empty.")
    dialect, first = found[0]
    for line in dict.fromkeys([dialect.inexact, *(served.warning for _, served in found)]):
        if line:
            _log.warning("%s: %s.", ", ".join(urls), line)
    contexts = [served.max_context for _, served in found if served.max_context]
    slots = [served.slots for _, served in found if served.slots]
    context = min(contexts, default=None)
    return Found(dialect, Served(first.name, first.root, context, min(slots, default=None)), codec)


def _model_of(httpx: Any, client: Any, url: str, model_name: str | None) -> dict[str, Any]:
    """The entry of the model in the server's list."""
    try:
        answer = client.get(f"{url}/v1/models", timeout=_PAGE_S)
        answer.raise_for_status()
        models = {model["id"]: model for model in answer.json()["data"]}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        if (status := _status(error)) in (401, 403):
            sent = "refuses the key that was sent" if "Authorization" in client.headers else "wants a key"
            raise EngineError(f"{url}/v1/models answers {status}: it {sent}; set {MODEL_KEY}.") from None
        raise EngineError(f"no model server answers at {url}/v1/models ({why(error)}); is it up?") from None
    name = model_name or next(iter(models), None)
    if name is None or name not in models:
        raise EngineError(f"{url} serves {', '.join(models) or 'nothing'}; expected {model_name!r} (--model-name).")
    model: dict[str, Any] = models[name]
    return model


def why(error: Exception) -> str:
    """Why a server's list of models could not be read, for somebody who does not know our client's classes."""
    if isinstance(error, json.JSONDecodeError):
        return "it answers, but not with JSON: a page of another program?"
    if isinstance(error, KeyError | TypeError):
        return "its answer is no list of models"
    if _status(error) == 503:
        return "it answers 503: it may still be loading the model"
    return re.sub(r"\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _status(error: Exception) -> int | None:
    """The HTTP status that an error tells of, where a server answered at all."""
    return getattr(getattr(error, "response", None), "status_code", None)


# -------------------------------------------------------------------------------------------------------- the tokenizer


def codec_of(root: str, tokenizer: str | None) -> Codec:
    """The served model's codec: of the folder that was named, else of the server's own path where that lies here."""
    try:
        return Codec(tokenizer_folder(tokenizer or root))
    except EngineError as error:
        if tokenizer is not None:
            raise EngineError(f"the tokenizer of the served model: {error}") from None
        if Path(root).is_file():
            raise EngineError(f"{error} Name the model's tokenizer (folder or hub id) with --tokenizer.") from None
        raise EngineError(
            f"the server calls its model {root!r}, whose tokenizer is not on this machine; give its folder or hub id "
            "with --tokenizer."
        ) from None


def _compare(codec: Codec, dialect: type[Dialect], served: Served, page: Page) -> None:
    """Refuse a server whose ids mean something else than ours. One that does not tell its ids is taken as it is."""
    probe = probe_text(codec)
    theirs = dialect.tokenize(served.name, probe, page)
    if theirs and (difference := disagreement(codec, probe, theirs)):
        raise EngineError(
            f"{page.url} does not use the tokenizer in {codec.folder}: {difference}. Name the served model's own with "
            "--tokenizer."
        )


def probe_text(codec: Codec) -> str:
    """A text in which all kinds of tokens occur, with the control tokens that a trajectory depends on."""
    return _PROBE + "".join(token for token in END_TOKENS if token in codec.added)


def disagreement(codec: Codec, probe: str, theirs: Sequence[int]) -> str | None:
    """How a server's ids of ``probe`` differ from ours, or None.

    Only ids go to the server and come back. So words may be cut in another way there, as long as each id is the same
    text: a server's pre-tokenizer is often an approximation. Control tokens have to be the same ids.
    """
    ours = codec.encode_control(probe)
    if list(theirs) == ours:
        return None
    known = [token_id for token_id in theirs if 0 <= token_id < codec.vocab_size]
    control, expected = ([one for one in ids if one in codec.control_ids] for ids in (known, ours))
    if len(known) == len(theirs) and control == expected and codec.decode(known).strip() == probe.strip():
        return None
    at = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), len(ours))
    text = codec.decode(ours[at : at + 1]) or "the end"
    return f"it reads {text!r} as {list(theirs[at : at + 1])}, here it is {ours[at : at + 1]}"
