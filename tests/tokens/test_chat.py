"""Templates are rendered as transformers renders them, its extensions included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import EngineError
from selftaught.tokens.chat import CHATML, ChatTemplate
from selftaught.tokens.files import ModelFiles

MESSAGES = [
    {"role": "user", "content": "Is 1 < 2 & 'yes'?"},
    {"role": "assistant", "content": "é"},
    {"role": "user", "content": "and?"},
]
SOURCES = {
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{%- generation -%}\n{% set x = m.content %}{{ x }}!\n{%- endgeneration -%}"
    "{% else %}[{{ m['content'] }}]{% endif %}{% endfor %}",
    "nested": "{% for m in messages %}{% generation %}{% if not loop.first %}{{ m.content }}{% endif %}{% endgeneration %}{% endfor %}",
    "tojson": "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}{{ tools is none }}{{ documents is none }}",
    "loop controls": "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "names": "{{ bos_token }}|{{ eos_token }}|{{ unk_token is defined }}|{{ add_generation_prompt }}",
    "namespace": "{% set ns = namespace(n=0) %}{% for m in messages %}{% generation %}{% set ns.n = ns.n + 1 %}{% endgeneration %}{% endfor %}{{ ns.n }}",
    "chatml": CHATML,
}


@pytest.mark.parametrize("name", SOURCES)
def test_rendered_as_by_transformers(name: str) -> None:
    utilities = pytest.importorskip("transformers.utils.chat_template_utils")
    variables = {"bos_token": "<s>", "eos_token": "</s>"}
    theirs, _ = utilities.render_jinja_template(
        [MESSAGES], chat_template=SOURCES[name], add_generation_prompt=True, **variables
    )
    assert ChatTemplate(SOURCES[name], variables).render(MESSAGES) == theirs[0]


def test_today_is_the_local_day() -> None:
    from datetime import datetime

    assert ChatTemplate("{{ strftime_now('%Y') }}", {}).render([]) == str(datetime.now().year)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ raise_exception('no system role') }}", "refused the messages: no system role"),
        ("{% generation %}never closed", "cannot be read"),
        ("{% unknown %}", "cannot be read"),
        ("{{ messages[0].content.nothing.at_all }}", "cannot render"),
        ("{{ messages.append(1) }}", "cannot render"),
    ],
)
def test_a_template_that_fails_is_one_line(source: str, message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        ChatTemplate(source, {}).render(MESSAGES)
    assert "\n" not in str(caught.value)


def write(folder: Path, **files: object) -> ModelFiles:
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return ModelFiles.read(folder)


def test_where_a_template_stands(tmp_path: Path) -> None:
    assert ChatTemplate.of(write(tmp_path)).source == CHATML
    several = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    assert ChatTemplate.of(write(tmp_path, tokenizer_config={"chat_template": several})).source == "D"
    assert ChatTemplate.of(write(tmp_path, chat_template={"chat_template": "J"})).source == "J"
    (tmp_path / "chat_template.jinja").write_text("F")
    assert ChatTemplate.of(write(tmp_path)).source == "F"


def test_special_strings(tmp_path: Path) -> None:
    config = {
        "bos_token": None,
        "eos_token": {"content": "</s>"},
        "add_bos_token": True,
        "extra_special_tokens": {"image_token": "<image>"},
    }
    files = write(tmp_path, tokenizer_config=config, special_tokens_map={"bos_token": "<s>", "eos_token": "<old>"})
    assert ChatTemplate.of(files).variables == {"bos_token": "<s>", "eos_token": "</s>", "image_token": "<image>"}


def test_a_file_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("[1]")
    with pytest.raises(EngineError, match=r"tokenizer\.json holds a list"):
        ModelFiles.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(EngineError, match=r"tokenizer\.json cannot be read"):
        ModelFiles.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EngineError, match="has no 'model'"):
        ModelFiles.read(tmp_path)
