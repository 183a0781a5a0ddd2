"""Names in a recipe → problems, model folders, tokenizers."""

from __future__ import annotations

from selftaught.problems.sources import is_here, load_source


def model_source(model: str) -> str:
    """A model as transformers takes it: a local folder (``toy`` resolved) or a hub id."""
    if model == "toy":
        from selftaught.toy import model_path

        return str(model_path())
    return model


__all__ = ["is_here", "load_source", "model_source"]
