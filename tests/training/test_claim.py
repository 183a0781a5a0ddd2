"""A model's folder is that of one training: the same rows, base and settings, as far as they change weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.runs.folders import ModelFolder
from selftaught.training.claim import claimed, rows_digest
from selftaught.training.render import TrainingRow
from selftaught.training.settings import SftSettings

ROWS = [TrainingRow("a", [1, 2, 3], [-100, 2, 3]), TrainingRow("b", [4, 5], [4, 5])]
SETTINGS = SftSettings(epochs=2)


@pytest.fixture
def begun(tmp_path: Path) -> ModelFolder:
    folder = ModelFolder(tmp_path / "model")
    with claimed(folder, "owner/base", SETTINGS, ROWS) as finished:
        assert finished is None
        (folder.checkpoints / "checkpoint-1").mkdir(parents=True)
    return folder


def test_the_same_training_goes_on(begun: ModelFolder) -> None:
    other_habits = SETTINGS.model_copy(update={"save_every_steps": 7, "num_threads": 2})
    with claimed(begun, "owner/base", other_habits, ROWS) as finished:
        assert finished is None


def test_another_one_is_refused_with_what_differs(begun: ModelFolder) -> None:
    with (
        pytest.raises(ConfigError, match="--epochs is 2.0; here it is 1.0"),
        claimed(begun, "owner/base", SftSettings(epochs=1), ROWS),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="another content of its rows"),
        claimed(begun, "owner/base", SETTINGS, ROWS[::-1]),
    ):
        pass


def test_before_the_first_checkpoint_it_may_be_corrected(tmp_path: Path) -> None:
    for settings in (SETTINGS, SftSettings(epochs=1)):
        with claimed(ModelFolder(tmp_path), "owner/base", settings, ROWS):
            pass


def test_somebody_elses_model_is_not_trained_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with (
        pytest.raises(ConfigError, match="was not trained there"),
        claimed(ModelFolder(tmp_path), "x/y", SETTINGS, ROWS),
    ):
        pass


def test_the_digest_tells_rows_apart() -> None:
    assert rows_digest(ROWS) == rows_digest(list(ROWS))
    joined = [TrainingRow("a", [1, 2, 3, 4, 5], [-100, 2, 3, 4, 5])]
    assert len({rows_digest(rows) for rows in (ROWS, ROWS[::-1], ROWS[:1], joined)}) == 4
