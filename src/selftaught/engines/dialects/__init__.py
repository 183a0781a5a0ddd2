"""What model servers understand: one file for each dialect.

A dialect turns a request into a path and a JSON body, and the server's streamed chunks into token ids. Everything else
(connections, retries, replicas, what a sequence is) is `selftaught.engines.http` and knows no field name. A new server is one
more file here and one more entry in `DIALECTS`.
"""

from __future__ import annotations

from typing import Any

from selftaught.engines.dialects.base import Broken, ChunkReader, Dialect, Form, Question, Served, Setting, Site
from selftaught.engines.dialects.desktop import LmStudio, Ollama
from selftaught.engines.dialects.llamacpp import LlamaCpp
from selftaught.engines.dialects.openai_ids import OpenAiIds, SglangIds
from selftaught.engines.dialects.sglang import Sglang
from selftaught.engines.dialects.text import OpenAiText

DIALECTS: tuple[type[Dialect], ...] = (SglangIds, Sglang, LlamaCpp, Ollama, LmStudio, OpenAiText, OpenAiIds)
"""In the order in which they are asked whether they know a server; the last one takes all."""

__all__ = [
    "DIALECTS",
    "Broken",
    "ChunkReader",
    "Dialect",
    "Form",
    "Question",
    "Served",
    "Setting",
    "Site",
    "dialect_of",
]


def dialect_of(model: dict[str, Any], site: Site, allow_text: bool) -> type[Dialect]:
    """The dialect of the server at ``site``, which lists ``model`` in its ``/v1/models``."""
    return next(dialect for dialect in DIALECTS if dialect.knows(model, site, allow_text))
