"""The Codex command line as it is, with our URL as a provider of the Responses API: two turns of one session."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import QUESTION, program, run

pytestmark = pytest.mark.clients
CONFIG = """\
model = "toy:hint"
model_provider = "ours"
model_instructions_file = "{folder}/short.md"
include_permissions_instructions = false
include_environment_context = false
[model_providers.ours]
name = "ours"
base_url = "{url}"
wire_api = "responses"
"""
"""The embedded model has 4,096 tokens of context: Codex's own instructions do not fit."""


def test_two_turns(url: str, tmp_path: Path) -> None:
    codex = program("codex", "node_modules/.bin/codex")
    (tmp_path / "short.md").write_text("Answer.")
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, url=url))
    home = {"CODEX_HOME": str(tmp_path), "HOME": str(tmp_path)}
    run([codex, "exec", "--skip-git-repo-check", QUESTION], cwd=tmp_path, **home)
    again = [codex, "exec", "resume", "--last", "--skip-git-repo-check", QUESTION.replace("87", "86")]
    run(again, cwd=tmp_path, **home)
    # What the embedded model says is not looked at: it never saw texts as long as those that Codex puts before the question.
    # A response with an error, or one that is incomplete, would have ended Codex with 1.
    sessions = [path.read_text() for path in (tmp_path / "sessions").rglob("*.jsonl")]
    assert len(sessions) == 1 and sessions[0].count('"task_complete"') == 2
