"""Every script in ``benchmarks/`` still starts, and one that compares engines gives the figures that the docs quote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from selftaught.tokens.folder import embedded_folder

pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "benchmarks"

START_ALL = """
import runpy, sys
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print(script, end.code)
    else:
        print(script, "ran on")
"""


def test_every_script_tells_its_options() -> None:
    scripts = [str(p) for p in sorted(FOLDER.glob("*.py")) if "argparse.ArgumentParser" in p.read_text("utf-8")]
    scripts = [script for script in scripts if "__main__" in Path(script).read_text("utf-8")]
    done = subprocess.run(
        [sys.executable, "-c", START_ALL, *scripts], cwd=FOLDER.parent, capture_output=True, text=True, timeout=120
    )
    ended = [line for line in done.stdout.splitlines() if line.endswith((" 0", " ran on"))]
    assert ended == [f"{script} 0" for script in scripts] and len(scripts) > 15, done.stderr[-2000:]


def test_decoding_compares_the_engine_with_generate() -> None:
    command = [sys.executable, str(FOLDER / "decoding.py"), str(embedded_folder())]
    options = ["--rows", "3", "--tokens", "6", "--dtype", "float32", "--runs", "2"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    near_ties = [gap for gap in found["logit_gaps_where_different"] if abs(gap) <= 1e-4]
    assert found["rows"] == 3 and found["identical"] + len(near_ties) == 3
    ratio = found["decode_ratio"]["generate"]
    assert 0 < ratio["least"] <= ratio["median"] <= ratio["most"]
    assert set(found["decoded_per_cpu_second"]) == {"ours", "generate"}


def test_accuracy_grades_the_engine_and_generate_alike_and_goes_on_where_it_was(tmp_path: Path) -> None:
    model, out, run = str(embedded_folder()), tmp_path / "generated.jsonl", tmp_path / "base"
    options = ["--no-tools", "--hints", "none", "--max-tokens", "500", "--dtype", "float32", "--limit", "12"]
    rollout = [sys.executable, "-m", "selftaught", "rollout", "toy-test", "--model", model, "--out", str(run), *options]
    subprocess.run(rollout, capture_output=True, text=True, timeout=120, check=True)
    command = [sys.executable, str(FOLDER / "accuracy.py"), str(run), "--model", model, "--problems", "toy-test"]
    command += ["--out", str(out), "--dtype", "float32", "--rows", "4"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert first.returncode == 0, first.stderr[-2000:]
    found = json.loads(first.stdout)
    assert found["problems"] + found["left_out_with_python"] == 12 and found["same_text"] == found["problems"] > 0
    assert found["right_local"] == found["right_generate"] > 0 and found["only_local"] == found["only_generate"] == 0
    lines = out.read_text("utf-8").splitlines(keepends=True)
    out.write_text("".join(lines[:5]) + lines[5][:20], "utf-8")  # killed in a line
    again = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert json.loads(again.stdout) == found, again.stderr[-2000:]
    assert sorted(out.read_text("utf-8").splitlines()) == sorted(line.rstrip() for line in lines)
