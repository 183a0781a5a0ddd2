"""Files of data sets on the Hugging Face hub, fetched once and then read from its cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selftaught.errors import MissingPartError
from selftaught.problems.folders import choose_files
from selftaught.problems.rows import kind_of

_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?(?:/(?P<wanted>[^:]+))?"
)


def parse_hub_id(source: str) -> tuple[str, str | None, str] | None:
    """``owner/name[@revision][/group or file]`` taken apart; None when the text cannot be one."""
    match = _HUB_ID.fullmatch(source)
    if match is None or (match["wanted"] is None and kind_of(Path(source))):
        return None
    return match["repo"], match["revision"], (match["wanted"] or "").strip("/")


def hub_files(repo: str, revision: str | None, wanted: str, source: str) -> list[Path]:
    """Local copies of the files of one group of a data set. MissingPartError when the hub cannot give them."""
    api = _client()
    names = _asked(source, lambda: list(api.list_repo_files(repo, repo_type="dataset", revision=revision)))
    return [hub_file(repo, name, revision, source) for name in choose_files(names, wanted, source)]


def hub_file(repo: str, name: str, revision: str | None, source: str) -> Path:
    """Local copy of one file.

    ``source`` is what the user named, for the error; MissingPartError when it is not to be had.
    """
    api = _client()
    return Path(_asked(source, lambda: api.hf_hub_download(repo, name, repo_type="dataset", revision=revision)))


def commit_of(file: Path) -> str | None:
    """The commit that a file in the hub's cache was read at."""
    match = re.search(r"/snapshots/([0-9a-f]{40})/", file.as_posix())
    return match[1] if match else None


def _client() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingPartError("data sets of the hub need huggingface_hub; pip install huggingface_hub.") from None
    return huggingface_hub


def _asked(source: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:  # the client raises many kinds; all mean that the data is not to be had
        detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingPartError(
            f"{source} cannot be fetched from the hub ({detail[:200]}) and is no file here; download it and give its path "
            "(gated sets: accept their terms there and set HF_TOKEN)."
        ) from None
