"""``selftaught exec``: one file, stdin, batches."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest


def batch_file(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines))  # no newline at the end: the last line counts
    return path


def test_a_file(run_cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("print('hello')\n2**10")
    result = run_cli("exec", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "hello\n1024\n", "")


def test_a_failure_is_shown_and_exits_1(run_cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("1/0")
    result = run_cli("exec", file)
    assert result.exit_code == 1
    assert result.stdout.endswith("ZeroDivisionError: division by zero\n")
    assert result.stderr.startswith("selftaught: error after")


def test_stdin_as_json(run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"print('x')\n5")))
    result = run_cli("exec", "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {**value, "wall_s": 0} == {
        "status": "ok",
        "output": "x\n5\n",
        "wall_s": 0,
        "truncated": False,
        "tier": value["tier"],
    }
    assert value["tier"] in (1, 2)


def test_a_batch_keeps_order_and_state(run_cli: Any, tmp_path: Path) -> None:
    path = batch_file(
        tmp_path / "b.jsonl",
        {"id": "slow", "cells": ["import time\ntime.sleep(0.5)\nx = 1", "x + 1"]},
        {"id": "loop", "cells": ["while True: pass", "1"], "timeout_s": 0.5},
        {"id": 3, "cells": ["1/0", "'\\ud800' and 7", "print('é <|im_end|>')"]},
        {"id": "none", "cells": []},
    )
    result = run_cli("exec", "--batch", path, "--workers", "2")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["id"] for line in lines] == ["slow", "loop", 3, "none"]
    assert all(line.keys() == {"id", "tier", "cells"} for line in lines)
    assert lines[0]["cells"][1]["output"] == "2\n"
    assert set(lines[0]["cells"][0]) == {"status", "output", "wall_s", "truncated"}
    assert [cell["status"] for cell in lines[1]["cells"]] == ["timeout", "ok"]
    assert [cell["status"] for cell in lines[2]["cells"]] == ["error", "ok", "ok"]
    assert lines[2]["cells"][2]["output"] == "é < |im_end|>\n"
    assert lines[3]["cells"] == []


@pytest.mark.parametrize(
    "line", ['{"id": "a"}', "[1]", '{"id": "a", "cells": [1]}', '{"id": "a", "cells": [], "timeout_s": -1}', "{"]
)
def test_a_bad_line_is_named(run_cli: Any, tmp_path: Path, line: str) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"id": "a", "cells": []}\n' + line + "\n")
    result = run_cli("exec", "--batch", path)
    assert result.exit_code == 2
    assert "b.jsonl:2:" in result.stderr
    assert result.stdout == ""


def test_a_missing_file(run_cli: Any, tmp_path: Path) -> None:
    assert run_cli("exec", tmp_path / "none.py").exit_code == 2
    assert run_cli("exec", "--batch", tmp_path / "none.jsonl").exit_code == 2


def test_only_named_modules_are_imported_ahead() -> None:
    from selftaught.sandbox.batch import needed

    assert needed(["numpy", "sympy"], ["print(1)", "import sympy as s"]) == ("sympy",)
    assert needed(["numpy"], ["x = 1"]) == ()
