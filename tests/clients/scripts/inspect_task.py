"""An Inspect task over a problem file of ours: ``inspect eval inspect_task.py -T problems=FILE``."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def ours(problems: str) -> Task:
    def sample(row: dict) -> Sample:
        return Sample(id=row["id"], input=row["problem"], target=str(row.get("answer", "-")))

    return Task(dataset=json_dataset(problems, sample), solver=generate(), scorer=match(location="any"))
