"""``push``: what would go to the hub, what stays here, and the upload itself against a client that only notes it down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError, DataError, MissingPartError
from selftaught.report.push import planned, upload


def model_folder(place: Path) -> Path:
    for name in (
        "config.json",
        "model.safetensors",
        "README.md",
        "training.json",
        "metrics.jsonl",
        "job.json",
        ".writer.lock",
        "run.json",
    ):
        place.mkdir(exist_ok=True)
        (place / name).write_text("{}")
    (place / "checkpoints").mkdir()
    (place / "checkpoints" / "optimizer.pt").write_text("x")
    return place


def data_folder(place: Path, problem: dict[str, Any]) -> Path:
    (place / "export" / "trl").mkdir(parents=True)
    (place / "export" / "README.md").write_text("# card")
    (place / "export" / "trl" / "train.jsonl").write_text("{}\n")
    (place / "kept.jsonl").write_text(json.dumps({"trajectory": {"problem_id": "p"}}) + "\n")
    (place / "dropped.jsonl").write_text("{}\n")
    (place / "funnel.json").write_text("{}")
    (place.parent / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    return place


def test_a_model_goes_without_what_is_of_this_machine(tmp_path: Path) -> None:
    with planned(model_folder(tmp_path / "m"), "me/m") as plan:
        assert [file.name for file in plan.files] == [
            "README.md",
            "config.json",
            "metrics.jsonl",
            "model.safetensors",
            "training.json",
        ]
        assert (plan.kind, plan.repo_type, plan.private, plan.url) == ("model", "model", True, None) and plan.size == 10


def test_a_data_set_goes_with_its_card_at_the_top(tmp_path: Path) -> None:
    with planned(data_folder(tmp_path / "c", {"id": "p"}), "me/d", private=False) as plan:
        assert [file.name for file in plan.files] == ["README.md", "trl/train.jsonl", "kept.jsonl", "funnel.json"]
        assert (plan.kind, plan.repo_type, plan.private) == ("data", "dataset", False)


def test_what_must_not_be_published_stays(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "c", {"id": "p", "metadata": {"secret": True}})
    with pytest.raises(DataError, match=r"kept\.jsonl:1 holds a problem whose owners"), planned(folder, "me/d"):
        pass
    (tmp_path / "problems.jsonl").write_text('{"id": "p"}\n')
    (tmp_path / "DO-NOT-PUBLISH").write_text("")
    with pytest.raises(DataError, match="not published; they stay here"), planned(folder, "me/d"):
        pass


def test_what_cannot_be_pushed_is_one_line(tmp_path: Path) -> None:
    model = model_folder(tmp_path / "m")
    for repo in ("m", "me/m/x", "../m", "me/", "me/a b"):
        with pytest.raises(ConfigError, match="expected OWNER/NAME"), planned(model, repo):
            pass
    (model / "training.json").unlink()
    with pytest.raises(DataError, match="not trained to its end"), planned(model, "me/m"):
        pass
    (model / "README.md").unlink()
    with pytest.raises(DataError, match="no README.md"), planned(model, "me/m"):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no model, no data set and no run"), planned(tmp_path / "empty", "me/m"):
        pass


def test_the_verb_sends_nothing_unless_it_is_told_to(
    run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    calls: list[tuple[str, Any]] = []

    class Client:
        def create_repo(self, repo: str, **options: Any) -> None:
            calls.append((repo, options))

        def create_commit(self, repo: str, *, operations: list[Any], **options: Any) -> Any:
            calls.append((repo, [one.path_in_repo for one in operations]))
            return type("Commit", (), {"commit_url": "https://hub/commit"})

    monkeypatch.setattr(hub, "HfApi", Client)
    model = model_folder(tmp_path / "m")
    result = run_cli("push", model, "--repo", "me/m")
    assert result.exit_code == 0 and not calls and "Nothing was sent" in result.stderr
    assert "5 files, 10 bytes: model → me/m (model, private)" in result.stdout
    result = run_cli("push", model, "--repo", "me/m", "--upload", "--public", "--json")
    assert json.loads(result.stdout)["url"] == "https://hub/commit"
    assert (
        calls[0] == ("me/m", {"repo_type": "model", "private": False, "exist_ok": True})
        and "config.json" in calls[1][1]
    )


def test_a_hub_that_says_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    class Client:
        def create_repo(self, *_: Any, **__: Any) -> None:
            raise OSError("401 Unauthorized\nmore")

    monkeypatch.setattr(hub, "HfApi", Client)
    with (
        planned(model_folder(tmp_path / "m"), "me/m") as plan,
        pytest.raises(MissingPartError, match=r"\(401 Unauthorized\); log in"),
    ):
        upload(plan)
