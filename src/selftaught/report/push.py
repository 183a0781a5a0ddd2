"""What of a folder goes to the Hugging Face hub, and the way there: a model, a data set, or the records of a run.

Nothing is uploaded before somebody has seen the list. What others may not see stays here: texts whose owners ask for
it, checkpoints, locks, and records of this machine.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError, DataError, MissingPartError
from selftaught.records import Record
from selftaught.report.publish import publish
from selftaught.runs.folders import DataFolder, Folder, ModelFolder, rollouts_below, upwards
from selftaught.store import iter_lines, parse_object

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_CARD = "README.md"


class PushFile(Record):
    """A file and its name in the repository."""

    path: str
    name: str
    size: int
    """In bytes."""


class PushPlan(Record):
    """What goes where. ``url`` is set when it was uploaded."""

    kind: str
    """model, data or run."""
    repo: str
    repo_type: str
    """model or dataset, as the hub calls it."""
    private: bool
    message: str
    files: list[PushFile]
    num_withheld: int = 0
    """Problems whose text is not in it."""
    url: str | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


@contextmanager
def planned(
    folder: Path, repo: str, *, private: bool = True, message: str = "", option: str = "--repo"
) -> Iterator[PushPlan]:
    """The plan for ``folder``, valid in the block: of a run, a copy that may be published lies in a temporary folder.

    ConfigError for a name that is none or a folder that holds nothing to push, DataError for what must not be
    published.
    """
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise ConfigError(f"{option} is {repo!r}; expected OWNER/NAME, as on the hub.")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; expected a model, a data set or a run.")
    kept = DataFolder(folder).kept
    with tempfile.TemporaryDirectory(prefix="selftaught-push-") as temporary:
        withheld = 0
        if kept.exists():
            kind, files = "data", list(_data_files(DataFolder(folder)))
        elif ModelFolder(folder).holds_model():
            kind, files = "model", list(_model_files(folder))
        elif rollouts_below(folder):
            copy = Path(temporary) / "copy"
            withheld = publish(folder, copy).num_withheld
            kind, files = "run", [(path, path.relative_to(copy).as_posix()) for path in sorted(copy.rglob("*"))]
        else:
            raise ConfigError(f"{folder} holds no model, no data set and no run; expected one of these.")
        yield PushPlan(
            kind=kind,
            repo=repo,
            repo_type="model" if kind == "model" else "dataset",
            private=private,
            message=message or f"selftaught push: {kind} {folder.resolve().name}",
            files=[
                PushFile(path=str(path), name=name, size=path.stat().st_size) for path, name in files if path.is_file()
            ],
            num_withheld=withheld,
        )


def upload(plan: PushPlan) -> PushPlan:
    """Make the repository where it is missing, and put the files into it as one commit.

    MissingPartError when that fails.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError:
        raise MissingPartError("push needs huggingface_hub; pip install 'selftaught[hub]'.") from None
    api = HfApi()
    try:
        api.create_repo(plan.repo, repo_type=plan.repo_type, private=plan.private, exist_ok=True)
        operations: list[Any] = [
            CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.path) for file in plan.files
        ]
        commit = api.create_commit(
            plan.repo, operations=operations, commit_message=plan.message, repo_type=plan.repo_type
        )
    except Exception as error:  # the client raises many kinds; all mean that nothing was committed
        detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingPartError(
            f"{plan.repo} cannot be written on the hub ({detail[:200]}); log in with `hf auth login` or set HF_TOKEN."
        ) from None
    return plan.model_copy(update={"url": str(commit.commit_url)})


def _model_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Weights, tokenizer, card, settings and curves; no checkpoints, no files of this machine."""
    model = ModelFolder(folder)
    _need_card(folder / _CARD, f"{folder} has no {_CARD}; write its card there first.")
    if model.metrics.exists() and not model.summary.exists():
        raise DataError(f"{folder} is not trained to its end; run `selftaught train` again first.")
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path not in (model.job, model.record):
            yield path, path.name


def _data_files(data: DataFolder) -> Iterator[tuple[Path, str]]:
    """The card and the exports at the top, then the rows that were kept and the counts. What was dropped stays here."""
    _need_card(data.export / _CARD, f"{data.path} has no card; run `selftaught curate {data.path} --export all` first.")
    _refuse_secrets(data)
    for path in sorted(data.export.rglob("*")):
        yield path, path.relative_to(data.export).as_posix()
    yield data.kept, data.kept.name
    if data.funnel.exists():
        yield data.funnel, data.funnel.name


def _need_card(card: Path, otherwise: str) -> None:
    if not card.is_file():
        raise DataError(otherwise)


def _refuse_secrets(data: DataFolder) -> None:
    """DataError when the problems of a data set are of those whose owners ask that they are not published."""
    for place in upwards(data.path):
        if Folder(place).do_not_publish.exists():
            raise DataError(f"{place} holds problems whose owners ask that they are not published; they stay here.")
    secret = {
        str(row["id"])
        for place in upwards(data.path)
        for path in (Folder(place).problems,)
        if path.is_file()
        for number, line in iter_lines(path)
        if (row := parse_object(line, f"{path}:{number}", "id")).get("metadata", {}).get("secret")
    }
    for number, line in iter_lines(data.kept) if secret else ():
        row = parse_object(line, f"{data.kept}:{number}", "trajectory")
        if str(row["trajectory"].get("problem_id")) in secret:
            raise DataError(
                f"{data.kept}:{number} holds a problem whose owners ask that it is not published; leave it out first."
            )
