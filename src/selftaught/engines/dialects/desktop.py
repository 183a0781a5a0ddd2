"""Ollama and LM Studio: text in, text out, with their own sampling settings overridden.

Neither gives ids, so both are taken only with ``allow_text`` and their trajectories are marked ``text_only``. Both run GGUF
files, which ``llama-server`` serves by ids.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from selftaught.engines.dialects.base import Form, Question, Served, Setting, Site
from selftaught.engines.dialects.text import OpenAiText, TextReader
from selftaught.errors import EngineError

_MOST_CONTEXT = 16_384
"""Context asked of Ollama where its model file names none: memory for the whole of it is taken at once."""
_ALL = "a bigger context takes more memory"


class Ollama(OpenAiText):
    """Ollama's ``/api/generate`` with ``raw``: its OpenAI-like pages cannot switch top-k, min-p and the context."""

    kind: ClassVar[str] = "ollama"
    form: ClassVar[Form] = Form.LINES
    silence_s: ClassVar[float] = 600.0
    """It loads a model at the first request."""
    inexact: ClassVar[str | None] = (
        "Ollama gives text without ids: what the model saw is not known, no token can be banned, and log-probabilities are "
        "missing; llama-server of llama.cpp gives ids for the same GGUF file"
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._context = setting.max_context

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """Its ``/api/version`` tells."""
        signed = model.get("owned_by")
        return signed not in ("vllm", "sglang") and isinstance((site.get("/api/version") or {}).get("version"), str)

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """The context that will be asked for: the model file's own ``num_ctx``, else what the model can hold, up to 16,384.

        Ollama's default is 4,096 for most machines, and what does not fit is left out silently.
        """
        name = str(model["id"])
        shown = site.post("/api/show", {"model": name}) or {}
        about = shown.get("model_info") or {}
        longest = about.get(f"{about.get('general.architecture')}.context_length")
        own = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters") or ""), re.MULTILINE)
        context = int(own[1]) if own else min(int(longest or 4_096), _MOST_CONTEXT)
        warning = None
        if isinstance(longest, int) and context < longest:
            place = "its model file names" if own else "asked of Ollama"
            warning = f"a context of {context:,} ({place}); the model can hold {longest:,} (PARAMETER num_ctx; {_ALL})"
        return Served(name, name, context, warning=warning)

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """The prompt as text, untouched by its template; every setting named."""
        codec = self.setting.codec
        return "/api/generate", {
            "model": self.setting.model_name,
            "prompt": codec.decode(question.ids),
            "raw": True,
            "stream": True,
            "truncate": False,  # newer versions then refuse a prompt that is too long
            "shift": False,
            "options": {
                "temperature": question.params.temperature,
                "top_p": question.params.top_p,
                "top_k": codec.vocab_size,  # 0 is refused by some versions
                "min_p": 0.0,
                "typical_p": 1.0,
                "repeat_penalty": 1.0,
                "presence_penalty": 0.0,
                "frequency_penalty": 0.0,
                "seed": question.seed,
                "num_predict": question.max_tokens,
                "num_ctx": self._context,
                "num_keep": 0,
                "stop": [],  # the model file's stops would be swallowed
            },
        }

    def reader(self, question: Question) -> TextReader:
        """Encodes the pieces."""
        return _OllamaReader(self.setting.codec)


class _OllamaReader(TextReader):
    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        if chunk.get("thinking"):
            raise EngineError("Ollama takes the thinking apart from the answer; what the model wrote is not known.")
        reason = chunk.get("done_reason") if chunk.get("done") else None
        ids = self.take(chunk.get("response") or "")
        return [*ids, *(self.stopped() if reason == "stop" else [])], False


class LmStudio(OpenAiText):
    """LM Studio's ``/v1/completions``."""

    kind: ClassVar[str] = "lmstudio"
    silence_s: ClassVar[float] = 600.0
    """It loads a model at the first request."""
    inexact: ClassVar[str | None] = (
        "LM Studio gives text without ids: what the model saw is not known, no token can be banned, and log-probabilities "
        "are missing; llama-server of llama.cpp gives ids for the same GGUF file"
    )

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """Its list of models with their contexts tells."""
        return model.get("owned_by") not in ("vllm", "sglang") and _lm_studio_model(model, site) is not None

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """The context that the model was loaded with; it is chosen in LM Studio."""
        name, about = str(model["id"]), _lm_studio_model(model, site) or {}
        loaded, longest = about.get("loaded_context_length"), about.get("max_context_length")
        context, warning = loaded or min(longest or 4_096, 4_096), None
        if isinstance(longest, int) and context < longest:
            how = "loaded with" if loaded else "not loaded yet, so it may be loaded with"
            warning = (
                f"{how} a context of {context:,}; the model can hold {longest:,} (lms load --context-length; {_ALL})"
            )
        return Served(name, name, context, warning=warning)

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """The prompt as text; every setting named."""
        path, body = super().request(question)
        neutral = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
        return path, {**body, **neutral, "stop": []}


def _lm_studio_model(model: dict[str, Any], site: Site) -> dict[str, Any] | None:
    """What LM Studio's own list says of ``model``; None for another server."""
    listed = (site.get("/api/v0/models") or {}).get("data")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not any("max_context_length" in one for one in found):
        return None
    return next((one for one in found if one.get("id") == model["id"]), {})
