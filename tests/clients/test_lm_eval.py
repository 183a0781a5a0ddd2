"""lm-evaluation-harness over 50 problems: it comes to its end, and its texts score as our own rollouts do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import NUM_PROBLEMS, Own, program, run

pytestmark = pytest.mark.clients
TASK = """\
task: ours
dataset_path: json
dataset_kwargs: {{data_files: {{test: {problems}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{problem}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["</s>"], max_gen_toks: 1024, do_sample: false, temperature: 0.0}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""


def test_a_benchmark(url: str, own: Own, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(TASK.format(problems=own.problems))
    model = f"model=toy,base_url={url}/chat/completions,num_concurrent=4"
    command = [program("lmeval", "bin/lm_eval"), "--model", "local-chat-completions", "--model_args", model]
    options = ["--tasks", "ours", "--include_path", tmp_path, "--apply_chat_template", "--log_samples"]
    run([*command, *options, "--output_path", tmp_path / "out"], 900, HF_HOME=str(tmp_path / "hf"))
    lines = next((tmp_path / "out").rglob("samples*.jsonl")).read_text().splitlines()
    got = {sample["doc"]["id"]: sample["resps"][0][0] for sample in map(json.loads, lines)}
    assert len(got) == NUM_PROBLEMS
    for name, answer in got.items():
        assert answer.strip() == own.answers[name]
        assert own.regrade(name, answer) == own.outcomes[name]
