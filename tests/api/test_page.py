"""docs/python.md as a script and under asyncio, and examples/start.ipynb in a kernel, from start to end."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

BLOCK = re.compile(r"^(?:<!-- not run: (.+?) -->\n+)?```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(repository: Path) -> list[str]:
    """The page's blocks that are run, in their order; they build on one another."""
    page = (repository / "docs" / "python.md").read_text(encoding="utf-8")
    return [text for not_run, text in BLOCK.findall(page) if not not_run]


def waits(block: str) -> bool:
    """Whether a block needs a running loop."""
    code = compile(block, "python.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return bool(code.co_flags & inspect.CO_COROUTINE)


def trains(block: str) -> bool:
    """Whether a block needs the trained model: loading the trainer into a fresh process costs as much as all the others."""
    return "trained" in block


def test_the_page_as_a_script(repository: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(
        "\n".join(block for block in blocks(repository) if not waits(block) and not trains(block)), encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "45\n ok",
        "343 True",
        "print(pow(7, 2023, 1000))",
        "False 12",
        "1.0 {'correct': 2}",
        "toy",
        "top_p is 2",
    ):
        assert line in done.stdout, (line, done.stdout)


@pytest.mark.exhaustive  # the script above runs the same blocks, and the notebook runs them inside a loop
async def test_the_page_under_asyncio(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Every block inside one running loop, as a notebook runs its cells."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(repository):
        code: CodeType = compile(block, "python.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)
        if asyncio.iscoroutine(waiting):
            await waiting
    shown = capsys.readouterr().out
    assert "1267650600228229401496703205376" in shown and "['56', '7']" in shown and "top_p is 2" in shown


def test_the_notebook_in_a_kernel(repository: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(repository / "examples" / "start.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pages = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("answer 227 · wrong, expected 343" in page for page in pages)
    assert any("answer 343 · right" in page for page in pages)
    assert any("<caption>Accuracy</caption>" in page for page in pages)
    assert not [output for output in outputs if "Warning" in str(output.get("text", ""))]
    assert (tmp_path / "runs" / "notebook" / "report.html").is_file()
