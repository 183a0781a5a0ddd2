"""Engines: how a model is held and sampled from. `load_engine` opens one by name.

``base`` fixes the protocol; ``local`` runs Qwen2, Qwen3 and Llama weights in this process; ``fallback`` runs any other
architecture through transformers; ``http`` talks to servers by token ids, in one of the ``dialects``; ``scripted`` says what
it is told.
"""

from __future__ import annotations

from selftaught.engines.base import (
    Engine,
    EngineStats,
    Sampled,
    SampleEnd,
    SampleRequest,
    SamplingParams,
    Score,
    Scoring,
    Sequence,
    SequenceKey,
)
from selftaught.engines.load import load_engine
from selftaught.engines.scripted import ScriptedEngine
from selftaught.tokens import Codec, TokenSet, resolve_model

__all__ = [
    "Codec",
    "Engine",
    "EngineStats",
    "SampleEnd",
    "SampleRequest",
    "Sampled",
    "SamplingParams",
    "Score",
    "Scoring",
    "ScriptedEngine",
    "Sequence",
    "SequenceKey",
    "TokenSet",
    "load_engine",
    "resolve_model",
]
