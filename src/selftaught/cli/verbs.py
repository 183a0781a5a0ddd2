"""The verbs of the command line: name, module, panel, one line for the list. Imports nothing."""

from __future__ import annotations

from dataclasses import dataclass

_LOOP, _STAGES, _PARTS, _LOOK = "The loop", "The stages", "The parts on their own", "Look around"


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. ``resumes``: the same command, run again after an interrupt, goes on where it stopped."""

    name: str
    panel: str
    summary: str
    resumes: bool = False
    module_name: str = ""

    @property
    def module(self) -> str:
        """Dotted name of the module that registers the verb."""
        return f"selftaught.cli.{self.module_name or self.name}"


VERBS: tuple[Verb, ...] = (
    Verb("demo", _LOOP, "The whole loop on the embedded reasoner, to a table and a report.", resumes=True),
    Verb("infer", _LOOP, "One problem, with hints, code and output shown as they come."),
    Verb("run", _LOOP, "All stages of a recipe, both rounds.", resumes=True),
    Verb("rollout", _STAGES, "Problems in, trajectories out.", resumes=True),
    Verb("grade", _STAGES, "Judge the trajectories of a run, or answer pairs, or programs.", resumes=True),
    Verb("curate", _STAGES, "Score, filter, modify and select trajectories for training.", resumes=True),
    Verb("train", _STAGES, "Fine-tune the base on curated trajectories.", resumes=True),
    Verb("eval", _STAGES, "pass@1, pass@k and maj@k of a model on benchmarks, with intervals.", resumes=True),
    Verb("report", _STAGES, "Table, report.md, report.json and a self-contained report.html of a run."),
    Verb("view", _STAGES, "The report in the browser; it follows a run while it grows."),
    Verb("serve", _STAGES, "An OpenAI-compatible server that thinks with Python."),
    Verb("decontaminate", _PARTS, "Remove training problems that overlap a benchmark."),
    Verb("verify", _PARTS, "Prove that the token ledger of a run holds."),
    Verb("compare", _PARTS, "Two runs on the same problems, paired."),
    Verb("push", _PARTS, "A model, a data set or a run's records to the hub."),
    Verb("exec", _PARTS, "Run code in the sandbox."),
    Verb("mcp", _PARTS, "The sandbox as an MCP server: the tool `python` for any client."),
    Verb("hints", _PARTS, "Show and check hint libraries; learn where hints help."),
    Verb("toy", _PARTS, "The embedded reasoner: its problems, and its pretraining from nothing."),
    Verb("ls", _LOOK, "What there is: benchmarks, hints, engines, recipes."),
    Verb("doctor", _LOOK, "Isolation tier with a self-attack, engines, devices, versions."),
)
"""In the order of the list that ``selftaught --help`` prints."""

SYNONYMS = {
    "ask": "infer",
    "build": "curate",
    "check": "doctor",
    "chat": "infer",
    "data": "curate",
    "env": "doctor",
    "evaluate": "eval",
    "filter": "curate",
    "generate": "rollout",
    "list": "ls",
    "pipeline": "run",
    "sandbox": "exec",
    "tool-server": "mcp",
    "score": "grade",
    "upload": "push",
    "sft": "train",
    "watch": "view",
}
"""Names that other tools use → ours; only for the "did you mean" of an unknown verb."""
