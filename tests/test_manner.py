"""How a model wants to be asked: the file in its folder, and what a folder without one means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import DataError
from selftaught.manner import Decoding, Manner, ThinkStyle, read_manner, trained_manner, write_manner
from selftaught.toy import MANNER, WEIGHTS_DIR


def test_written_and_read_again(tmp_path: Path) -> None:
    manner = Manner(
        question="plain", think_style=ThinkStyle.WHOLE_TURN, hints="end", sampling=Decoding(temperature=0.6)
    )
    path = write_manner(tmp_path, manner)
    assert read_manner(tmp_path) == manner
    assert json.loads(path.read_text())["schema_version"] == 1
    assert read_manner(tmp_path / "nowhere") == Manner()


def test_the_embedded_model_is_asked_plainly() -> None:
    assert read_manner(WEIGHTS_DIR) == MANNER and MANNER.question == "plain" and MANNER.knows == "toy"


def test_a_model_trained_before_the_file_existed_has_its_bases_manner(tmp_path: Path) -> None:
    base, first, second = (tmp_path / name for name in ("base", "first", "second"))
    for folder in (base, first, second):
        folder.mkdir()
    write_manner(base, Manner(question="plain"))
    (first / "training.json").write_text(json.dumps({"base_model": str(base)}))
    (second / "training.json").write_text(json.dumps({"base_model": str(first)}))
    assert read_manner(second) == trained_manner(Manner(question="plain")) and read_manner(second).hints == "none"
    (first / "training.json").write_text(json.dumps({"base_model": "/elsewhere/selftaught/toy/weights"}))
    assert read_manner(first) == trained_manner(MANNER)
    (first / "training.json").write_text(json.dumps({"base_model": "org/name"}))
    assert read_manner(first) == Manner()
    (first / "training.json").write_text(json.dumps({"base_model": str(first)}))  # a circle ends
    assert read_manner(first).question == "request"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"question": "loud"}', '{"schema_version": 2}', '{"tone": 1}', '{"sampling": {"top_p": 7}}']
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "selftaught.json").write_text(text)
    with pytest.raises(DataError, match=r"selftaught\.json") as caught:
        read_manner(tmp_path)
    assert "\n" not in str(caught.value)
