"""Paths of a run: every stage's folder leads back to its stage, and what is ours is known by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.runs import RunFolder
from selftaught.runs.folders import Folder, same_folder, upwards
from selftaught.runs.names import FILES
from selftaught.runs.stages import data_sets, greedy_rollout, hinted_rollout


def test_a_stage_and_its_folder_lead_to_each_other(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for stage in (greedy_rollout(), hinted_rollout(), *data_sets()):
        folder = run.path / stage.folder
        assert run.stage_of(folder) == stage
        assert run.relative(folder).split("/")[0] in run.entries()
    assert run.stage_of(tmp_path.parent) is None


def test_a_stage_is_known_by_any_trace_of_it(tmp_path: Path) -> None:
    run, stage = RunFolder(tmp_path), greedy_rollout()
    assert not run.knows(stage)
    run.log(stage).parent.mkdir()
    run.log(stage).touch()
    assert run.knows(stage)


def test_locks_alone_leave_a_folder_empty(tmp_path: Path) -> None:
    (tmp_path / FILES.lock).touch()
    assert not Folder(tmp_path).holds_anything()
    (tmp_path / "notes.txt").touch()
    assert Folder(tmp_path).holds_anything()


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match=r"--out .*out cannot be written \(it is a file\)"):
        Folder(tmp_path / "out").make()


def test_upwards_is_bounded_and_a_link_is_the_folder_itself(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert list(upwards(deep, levels=1)) == [deep.resolve(), deep.parent.resolve()]
    (tmp_path / "link").symlink_to(deep)
    assert same_folder(tmp_path / "link", deep)
