"""Wrong files, folders and texts, a line each over all verbs: one clear line, the right exit code, nothing lost.

The commands run in a folder of wrong things (`make_place`). Each row has the exit code and a pattern that the error must
have: what was wrong, its value, what was expected. After each command every file that was there is unchanged.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import re
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import REPOSITORY, RunCli

GOOD = {"id": "a", "problem": "What is 2 plus 2?", "answer": "4"}
RULE = "{name: r, when: end_of_thinking, hints: [general]}"

ROWS: dict[str, dict[str, object]] = {
    "noanswer": {"answer": None},
    "question": {"problem": None, "question": "What?"},
    "letter": {"kind": "choice", "choices": ["x", "y"], "answer": "D"},
    "kind": {"kind": "maths"},
    "tests": {"answer": None, "kind": "code", "tests": "1 2"},
    "emptytext": {"problem": ""},
    "number": {"problem": 17},
    "listanswer": {"answer": ["4"]},
    "listid": {"id": ["a"]},
}
"""Problem files of one row: what is changed in a good one; None leaves the key out."""

TEXTS: dict[str, str | bytes] = {
    "p.jsonl": json.dumps(GOOD) + "\n",
    "torn.jsonl": json.dumps(GOOD) + '\n{"id": "b", "prob\n',
    "twice.jsonl": json.dumps(GOOD) + "\n" + json.dumps(GOOD | {"problem": "What is 2 plus 3?"}) + "\n",
    "other.jsonl": json.dumps(GOOD) + "\n",
    "empty.jsonl": "",
    "blank.jsonl": "\n \n",
    "list.jsonl": "[1, 2]\n",
    "deep.jsonl": "[" * 100_000 + "\n",
    "nan.jsonl": '{"id": "a", "problem": "x", "answer": NaN}\n',
    "inf.jsonl": '{"id": "a", "problem": "x", "answer": Infinity}\n',
    "half.jsonl": '{"id": "a", "problem": "x \\ud83d", "answer": "4"}\n',
    "latin.jsonl": '{"id": "a", "problem": "Café", "answer": "4"}\n'.encode("latin-1"),
    "utf16.jsonl": (json.dumps(GOOD) + "\n").encode("utf-16"),
    "bytes.jsonl": bytes(range(256)),
    "packed.jsonl": gzip.compress(json.dumps(GOOD).encode(), mtime=0),
    "bad.parquet": b"PAR1 no",
    "other.csv": "a,b\n1,2\n",
    "number.json": "17",
    "newer.jsonl": json.dumps(GOOD | {"schema_version": 99}) + "\n",
    "pairs.jsonl": '{"id": "a", "kind": "math", "prediction": "4"}\n',
    "pairkind.jsonl": '{"id": "a", "kind": "poem", "prediction": "4", "gold": "4"}\n',
    "programs.jsonl": '{"id": "a", "kind": "stdin", "solution": "print(1)"}\n',
    "cells.jsonl": '{"id": "a", "cells": "print(1)"}\n',
    "celltime.jsonl": '{"id": "a", "cells": ["1"], "timeout_s": NaN}\n',
    "when.yaml": "policies: {mine: {rules: [{name: r, when: sometimes, hints: [general]}]}}\n",
    "nohint.yaml": "policies: {mine: {rules: [{name: r, when: end_of_thinking, hints: [nosuch]}]}}\n",
    "pattern.yaml": "policies: {mine: {rules: [{name: r, when: regex, pattern: '(', hints: [general]}]}}\n",
    "likely.yaml": f"policies: {{mine: {{rules: [{RULE[:-1]}, probability: 2}}]}}}}\n",
    "listed.yaml": "policies: [1, 2]\n",
    "typokey.yaml": "polices: {}\n",
    "broken.yaml": "a: [1, 2\nb: }\n",
    "tab.yaml": "a:\n\tb: 1\n",
    "empty.yaml": "",
    "number.yaml": "17\n",
    "bytes.yaml": b"\xff\xfe\x00",
    "tag.yaml": "a: !!python/object/apply:os.system ['true']\n",
    "mine.yaml": f"policies: {{mine: {{rules: [{RULE}]}}}}\n",
    "lost.yaml": "extends: nowhere.yaml\n",
    "circle.yaml": "extends: circle.yaml\n",
    "half/config.json": "{",
    "notokens/config.json": '{"model_type": "qwen2"}',
    "a file ü": "x",
}
"""Files with their content."""

INPUTS: dict[str, tuple[int, str]] = {
    # ---- problem files: those of the first hour
    "rollout nowhere.jsonl --model toy --out X": (2, r"nowhere\.jsonl cannot be read \(no such file\)"),
    "rollout torn.jsonl --model toy --out X": (2, r"torn\.jsonl:2: not JSON .*expected one JSON object a line"),
    "rollout twice.jsonl --model toy --out X": (2, r"twice\.jsonl:2: id 'a' stands in line 1 already"),
    "rollout noanswer.jsonl --model toy --out X": (2, r"noanswer\.jsonl:1: nothing to grade by; expected `answer`"),
    "rollout question.jsonl --model toy --out X": (2, r"`problem` is missing.*did you mean --map problem=question"),
    "rollout empty.jsonl --model toy --out X": (2, r"empty\.jsonl holds no problem"),
    "rollout blank.jsonl --model toy --out X": (2, r"blank\.jsonl holds no problem"),
    "rollout latin.jsonl --model toy --out X": (2, r"latin\.jsonl:1: byte 28 is not UTF-8"),
    "rollout list.jsonl --model toy --out X": (2, r"list\.jsonl:1: a JSON list"),
    "rollout letter.jsonl --model toy --out X": (2, r"answer is 'D'; expected a letter from A to B"),
    "rollout kind.jsonl --model toy --out X": (2, r"kind is 'maths'; .*did you mean math"),
    "rollout tests.jsonl --model toy --out X": (2, r"tests is '1 2'; expected a list"),
    "rollout nan.jsonl --model toy --out X": (2, r"nan\.jsonl:1: NaN is not JSON"),
    "rollout emptytext.jsonl --model toy --out X": (2, r"problem is ''; expected a text that is not empty"),
    "rollout listanswer.jsonl --model toy --out X": (2, r"answer is \['4'\]; expected a text or a number"),
    "rollout number.jsonl --model toy --out X": (2, r"problem is 17; expected a text"),
    "mcp --port 0 --host 0.0.0.0": (2, r"--host 0\.0\.0\.0 opens the server to other machines; set a key"),
    "mcp --port 70000": (2, r"--port.*70000"),
    "eval -m toy -b math5000 -o X": (2, r"'math5000' is not known.*Did you mean math500"),
    "rollout p.jsonl --model half --out X": (3, r"half/config\.json cannot be read"),
    "rollout p.jsonl --model notokens --out X": (3, r"notokens/tokenizer\.json is missing"),
    "rollout p.jsonl --model emptyfolder --out X": (3, r"emptyfolder has no config\.json"),
    "rollout p.jsonl --model tooy --out X": (3, r"model 'tooy' was not found; expected a folder"),
    "rollout p.jsonl --model http://127.0.0.1:9/v1 --out X": (3, r"no model server answers at http://127\.0\.0\.1:9"),
    "rollout mine.jsonl --model toy --out run --temperature 1": (2, r"whose --temperature is 0\.0; here it is 1\.0"),
    "rollout other.jsonl --model toy --out run --max-tokens 8": (
        2,
        r"holds another text for problem 'a'; name another --out",
    ),
    "grade run --problems nowhere.jsonl": (2, r"nowhere\.jsonl cannot be read"),
    "curate run --rule d_strat": (2, r"rule is 'd_strat'; expected one of d_seed, d_start"),
    "curate data --export nonsense": (2, r"export format 'nonsense' is unknown; expected some of"),
    "run nowhere --out X": (2, r"recipe 'nowhere' was not found; expected a YAML file or one of"),
    "demo --recipe demoo --out X": (2, r"Did you mean demo\?"),
    "toy problems nope 3": (2, r"split is 'nope'; expected one of"),
    "docter": (2, r"No such verb 'docter'\. Did you mean doctor"),
    "run recipe.yaml --out X --set nonsense": (2, r"--set 'nonsense'; expected key=value"),
    "run recipe.yaml --out X --set sed=1": (2, r"sed: no such key\. Did you mean seed"),
    "run recipe.yaml --out X --set seed=x": (2, r"seed is 'x'; expected a whole number"),
    "train data --model toy --out X --learning-rate -1": (2, r"learning_rate is -1; expected above 0"),
    "train data --model toy --out X --epochs 0": (2, r"epochs is 0; expected above 0"),
    "rollout p.jsonl --model toy --out X --limit -3": (2, r"--limit is -3; expected at least 1"),
    "run typo.yaml --out X": (2, r"seedround: no such key\. Did you mean seed_round"),
    "run recipe.yaml --out run": (2, r"run holds a rollout; name another --out"),
    "run recipe.yaml --out run --fresh": (2, r"run holds a rollout; name another --out"),
    "run recipe.yaml --out strange --fresh": (2, r"not empty and holds no run\.json; name another --out"),
    "demo --out run": (2, r"run holds a rollout; name another --out"),
    "rollout p.jsonl --model toy --out /proc/x": (2, r"--out /proc/x cannot be written \("),
    "rollout p.jsonl --model toy --out p.jsonl": (2, r"--out p\.jsonl cannot be written \(it is a file\)"),
    "compare run run --condition-a bsae --condition-b rollout": (2, r"--condition-a 'bsae' is not in run; expected"),
    "infer x --hints mine.yaml:yours --max-tokens 1": (2, r"no policy 'yours'"),
    # ---- problem files: new
    "rollout inf.jsonl --model toy --out X": (2, r"Infinity is not JSON"),
    "rollout listid.jsonl --model toy --out X": (2, r"id is \['a'\]; expected a text or a whole number"),
    "rollout deep.jsonl --model toy --out X": (2, r"deep\.jsonl:1: .*recursion"),
    "rollout half.jsonl --model toy --out X": (2, r"half of a character pair"),
    "rollout utf16.jsonl --model toy --out X": (2, r"byte 1 is not UTF-8"),
    "rollout bytes.jsonl --model toy --out X": (2, r"bytes\.jsonl:1: not JSON"),
    "rollout packed.jsonl --model toy --out X": (2, r"packed\.jsonl:1: byte 2 is not UTF-8"),
    "rollout bad.parquet --model toy --out X": (2, r"bad\.parquet is not a Parquet file"),
    "rollout other.csv --model toy --out X": (2, r"other\.csv:2: `problem` is missing.*a, b"),
    "rollout number.json --model toy --out X": (2, r"number\.json: a JSON int; expected a list"),
    "rollout emptyfolder --model toy --out X": (2, r"emptyfolder holds no problem file; expected \.parquet"),
    "rollout dangling --model toy --out X": (2, r"'dangling' is not known; expected a file"),
    "rollout circling --model toy --out X": (2, r"'circling' is not known; expected a file"),
    "rollout '' --model toy --out X": (2, r"source is ''; expected a file"),
    "rollout 'a\nb' --model toy --out X": (2, r"'a\\nb' cannot be read; expected NAME or FILE"),
    "rollout p.jsonl --model toy --out X --map nonsense": (2, r"map has 'nonsense'; expected KEY=COLUMN"),
    "rollout p.jsonl --model toy --out X --map problem=question": (2, r"`question` \(mapped to problem\) is missing"),
    "rollout p.jsonl --model toy --out X --drop zzz": (2, r"drop 'zzz' cannot be read; expected FIELD in"),
    "eval -m toy -b p.jsonl:0 -o X": (2, r"asks for 0 samples; expected 1 or more"),
    "eval -m toy -b , -o X": (2, r"benchmarks is empty; expected names or files"),
    "eval -m toy -b p.jsonl,p.jsonl -o X": (2, r"names 'p' twice"),
    "eval -m toy -b p.jsonl -o X --reference zzz": (2, r"--reference is 'zzz'; expected one of toy"),
    "eval -m toy -b p.jsonl -o X --recipe abltions": (2, r"'abltions' was not found.*Did you mean ablations"),
    "eval -m toy -b p.jsonl -o X --recipe number.yaml": (2, r"number\.yaml holds 17; expected an evaluation recipe"),
    "decontaminate p.jsonl --against '' --out X": (2, r"--against is empty; expected a benchmark"),
    "decontaminate p.jsonl --against p.jsonl --out run": (2, r"run holds a rollout; name another --out"),
    "decontaminate p.jsonl --against p.jsonl --out /proc/x": (2, r"--out /proc/x cannot be written"),
    "decontaminate p.jsonl --against p.jsonl --out X --min-share nan": (2, r"--min-share is nan; expected"),
    # ---- places
    "rollout p.jsonl --model toy --out ''": (2, r"--out is ''; expected a path"),
    "rollout p.jsonl --model toy --out p.jsonl/x": (2, r"--out p\.jsonl/x cannot be written \(Not a directory\)"),
    "rollout p.jsonl --model toy --out 'a file ü'": (2, r"--out a file ü cannot be written \(it is a file\)"),
    "rollout p.jsonl --model toy --out dangling": (2, r"--out dangling cannot be written"),
    "rollout p.jsonl --model toy --out data": (2, r"data holds a curated data set; name another --out"),
    "rollout p.jsonl --model '' --out X": (3, r"model's name is ''; expected a folder"),
    "eval -m toy -b p.jsonl -o run": (2, r"run holds a rollout; name another --out"),
    "curate run --out run": (2, r"run holds a rollout; name another --out"),
    "curate run --editable emptyfolder": (2, r"run/curated holds no data set"),
    "curate data --editable emptyfolder": (2, r"--editable emptyfolder is a folder; expected a file"),
    "curate data --editable /proc/x": (2, r"/proc/\S+ cannot be used \("),
    "toy pretrain --out ''": (2, r"--out is ''; expected a path"),
    "report run data --out p.jsonl": (2, r"data holds no trajectories|p\.jsonl cannot be written"),
    # ---- folders of another kind
    "grade emptyfolder": (2, r"emptyfolder holds no trajectories\.jsonl"),
    "grade p.jsonl": (2, r"p\.jsonl is a file; expected the folder"),
    "grade data": (2, r"data holds no trajectories\.jsonl"),
    "verify p.jsonl": (2, r"p\.jsonl is a file; expected the folder"),
    "verify run --model nowhere": (3, r"model 'nowhere' was not found"),
    "report p.jsonl": (2, r"p\.jsonl is not a folder; expected the folder of a run"),
    "report data": (2, r"data holds no trajectories yet; expected"),
    "report run run": (2, r"run is named twice"),
    "report run --publish strange": (2, r"strange is not empty; expected a new folder"),
    "view nowhere": (2, r"nowhere is not a folder; expected the folder of a run"),
    "view run --port 99999": (2, r"--port is 99999; expected at most 65535"),
    "compare run emptyfolder": (2, r"emptyfolder holds no trajectories"),
    "compare run ungraded": (2, r"ungraded has no grades\.jsonl; run `selftaught grade ungraded` first"),
    "compare run run --fail-below nan": (2, r"--fail-below is nan; expected a finite number"),
    "curate ungraded": (2, r"ungraded is not graded; run `selftaught grade ungraded` first"),
    "curate run --export trl": (2, r"run/curated holds no data set"),
    "curate run --explain zzz": (2, r"'zzz' is in no data set below run"),
    "curate run --greedy emptyfolder": (2, r"emptyfolder/trajectories\.jsonl is not there"),
    "curate run --contaminated list.jsonl": (2, r"list\.jsonl:1: a JSON list"),
    "curate run --edits p.jsonl --out X": (2, r"p\.jsonl:1: \w+: no such key\. Expected one of digest, spans"),
    "curate run --set filters=3": (2, r"filters is 3; expected a mapping"),
    "curate run --set 'a=[1'": (2, r"--set 'a=\[1': the value is not YAML .*quotes"),
    "curate run --set =1": (2, r"--set '=1'; expected key=value"),
    "infer --problem zz --from run": (2, r"no problem 'zz' among 2; an id there is 'a'"),
    "infer --problem a --from data": (2, r"data holds no trajectories"),
    "train emptyfolder --model toy --out X": (2, r"emptyfolder/kept\.jsonl cannot be read"),
    "train p.jsonl --model toy --out X": (2, r"p\.jsonl:1: \w+: no such key.*row of a data set"),
    "train data --model toy --out X --config number.yaml": (2, r"number\.yaml holds 17; expected training settings"),
    "train data --model toy --out X --config recipe.yaml --round nope": (2, r"no nope\.train"),
    "train data --model toy --out X --set packing=maybe": (2, r"packing is 'maybe'; expected true or false"),
    "train data --model toy --out X --set learning_rat=1": (
        2,
        r"learning_rat: no such key\. Did you mean learning_rate",
    ),
    # ---- recipes and hint libraries
    "run broken.yaml --out X": (2, r"broken\.yaml is not YAML \(.*line 2\)"),
    "run tab.yaml --out X": (2, r"tab\.yaml is not YAML"),
    "run bytes.yaml --out X": (2, r"bytes\.yaml cannot be read \(byte 1 is not UTF-8\)"),
    "run tag.yaml --out X": (2, r"tag\.yaml is not YAML"),
    "run empty.yaml --out X": (2, r"empty\.yaml holds nothing; expected the keys of a recipe"),
    "run lost.yaml --out X": (2, r"recipe 'nowhere\.yaml' was not found"),
    "run circle.yaml --out X": (2, r"circle\.yaml extends itself"),
    "run recipe.yaml --out X --set pool.limit=0": (2, r"pool\.limit is 0; expected at least 1"),
    "run recipe.yaml --out X --set 'seed=[1'": (2, r"the value is not YAML"),
    "run recipe.yaml --out X --cores 0": (2, r"--cores is 0; expected at least 1"),
    "run recipe.yaml": (2, r"--out is missing; name the run's folder"),
    "hints lint when.yaml": (2, r"when is 'sometimes'; expected one of word, regex"),
    "hints lint nohint.yaml": (2, r"unknown hint 'nosuch'; known:"),
    "hints lint pattern.yaml": (2, r"bad pattern"),
    "hints lint likely.yaml": (2, r"probability is 2; expected at most 1"),
    "hints lint listed.yaml": (2, r"policies is \[1, 2\]; expected a mapping"),
    "hints lint typokey.yaml": (2, r"polices: no such key\. Did you mean policies"),
    "hints lint emptyfolder": (2, r"emptyfolder cannot be read \(Is a directory\)"),
    "hints show bytes.yaml": (2, r"byte 1 is not UTF-8"),
    "hints shw": (2, r"No such command 'shw'\. Did you mean 'show'"),
    "hints": (2, r"a command is missing; expected one of lint, show"),
    # ---- programs, pairs, numbers
    "grade --pairs pairs.jsonl": (2, r"pairs\.jsonl:1: gold is missing"),
    "grade --pairs pairkind.jsonl": (2, r"kind is 'poem'; expected one of math, choice"),
    "grade --pairs bytes.jsonl": (2, r"bytes\.jsonl:1: not JSON"),
    "grade --programs programs.jsonl": (2, r"programs\.jsonl:1: tests is missing"),
    "grade run --timeout inf": (2, r"--timeout is inf; expected a finite number"),
    "exec --batch cells.jsonl": (2, r"cells\.jsonl:1: cells is not a list of strings"),
    "exec --batch celltime.jsonl": (2, r"timeout_s is nan, not a number of seconds"),
    "exec --batch emptyfolder": (2, r"emptyfolder cannot be read \(Is a directory\)"),
    "exec ''": (2, r"name is ''; expected a Python file"),
    "exec -c 1 --timeout inf": (2, r"--timeout is inf; expected a finite number"),
    "exec -c 1 --memory 99999999999999": (2, r"--memory is 99999999999999; expected at most 4194304"),
    "exec -c 1 --workers many": (2, r"--workers is 'many'; expected a whole number"),
    "toy gate --num-each 0": (2, r"--num-each is 0; expected at least 1"),
    "toy pretrain --out X --tokens nan": (2, r"--tokens is nan; expected"),
    "toy problems dev 100000000000000": (2, r"total is 100000000000000; expected at most"),
    "infer x --max-tokens 99999999999": (2, r"--max-tokens is 99999999999; expected (below|less than)"),
    "infer x --answer 4 --kind code": (2, r"--answer is not for code"),
    "infer x --choices 'a|b' --kind math": (2, r"--choices is for choice problems; --kind is math"),
    "infer x --kind choice": (2, r"--kind is choice, but --choices is missing"),
    "push emptyfolder --repo a/b": (2, r"emptyfolder holds no model, no data set and no run"),
    "push run --repo 'a b c'": (2, r"--repo is 'a b c'; expected OWNER/NAME"),
    "ls nothing": (2, r"'nothing' is not known; expected one of benchmarks"),
    "doctor extra": (2, r"unexpected extra argument"),
}


def make_place(folder: Path, finished: Path) -> None:
    """Fill ``folder`` with wrong things, and with a finished run that is to stay as it is."""
    for name, content in TEXTS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, change in ROWS.items():
        row = {key: value for key, value in (GOOD | change).items() if value is not None}
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    recipe = (REPOSITORY / "recipes" / "demo.yaml").read_text()
    (folder / "recipe.yaml").write_text(recipe)
    (folder / "typo.yaml").write_text(recipe.replace("seed_round:", "seedround:"))
    (folder / "emptyfolder").mkdir()
    (folder / "strange").mkdir()
    (folder / "strange" / "thesis.txt").write_text("years of work")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "circling").symlink_to(folder / "circling")
    shutil.copytree(finished / "run", folder / "run")
    shutil.copy(finished / "mine.jsonl", folder / "mine.jsonl")
    shutil.copytree(finished / "run", folder / "ungraded", ignore=shutil.ignore_patterns("grades.jsonl"))
    (folder / "data").mkdir()
    for name in ("kept.jsonl", "dropped.jsonl"):
        (folder / "data" / name).touch()
    (folder / "data" / "funnel.json").write_text("{}")


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file, but for locks, which say who wrote last, and for the record of when a run was tried."""
    skipped = (".writer.lock", ".grades.lock", "run.json")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in skipped
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, finished: Path) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    make_place(folder, finished)
    return folder


@pytest.fixture(scope="module")
def before(place: Path) -> dict[str, str]:
    return contents(place)


@pytest.mark.parametrize("command", INPUTS)
def test_one_line_says_what_is_wrong(
    command: str, place: Path, before: dict[str, str], run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    exit_code, pattern = INPUTS[command]
    monkeypatch.chdir(place)
    result = run_cli(*shlex.split(command))
    errors = [line for line in result.stderr.splitlines() if line.startswith("selftaught: error: ")]
    assert result.exit_code == exit_code, result.stderr
    assert len(errors) == 1 and re.search(pattern, errors[0]), result.stderr
    assert "Traceback" not in result.stderr and "bug:" not in errors[0]
    assert not re.search(r"Input should|Field required|Extra inputs|NoneType|\[Errno", errors[0]), "another's words"
    after = contents(place)
    assert {name: after.get(name) for name in before} == before, "a file was changed or lost"
    shutil.rmtree(place / "X", ignore_errors=True)


def test_there_are_many_rows_over_all_verbs() -> None:
    from selftaught.cli.app import available_verbs

    tried = {command.split()[0] for command in INPUTS}
    assert len(INPUTS) >= 120
    assert {verb.name for verb in available_verbs()} - tried <= {"serve"}


@pytest.fixture
def html_server() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_of_pages_is_no_model_server(html_server: str, run_cli: RunCli) -> None:
    result = run_cli("infer", "x", "--model", html_server)
    assert (
        result.exit_code == 3
        and html_server in result.stderr
        and "not with JSON" in result.stderr
        and "Traceback" not in result.stderr
    )
    assert result.stderr.count("selftaught: error: ") == 1
