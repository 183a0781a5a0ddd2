"""Our adapters with the newest FastMCP and smolagents, and the MCP server with the newest SDK, in an environment of theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import program, run

pytestmark = pytest.mark.clients
FILES = ("test_fastmcp.py", "test_smolagents.py", "test_mcp_tool.py", "test_mcp_vllm.py")


def test_fastmcp_smolagents_and_the_sdk(repository: Path) -> None:
    files = [repository / "tests" / "integrations" / name for name in FILES]
    command = [program("mcp"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", *files]
    said = run(command, 600, PYTHONPATH=os.pathsep.join([str(repository / "src"), str(repository)]))
    assert "failed" not in said.splitlines()[-1]
    for name in ("test_code_mode_of_fastmcp", "test_an_agent_uses_tools_variables_and_earlier_names"):
        assert f"::{name}" in said, "passed, not skipped"
