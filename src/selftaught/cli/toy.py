"""``selftaught toy``: the embedded reasoner's problems, its pretraining from nothing, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selftaught.cli.verbs import VERBS

MAX_SEED = (1 << 31) - 1
"""Largest seed that every generator takes."""

_SUMMARY = next(verb.summary for verb in VERBS if verb.name == "toy")


def register(app: typer.Typer) -> None:
    """Add the group ``toy`` to the command line."""
    toy = typer.Typer(help=_SUMMARY, no_args_is_help=True)
    toy.command()(pretrain)
    toy.command()(problems)
    toy.command()(gate)
    app.add_typer(toy, name="toy")


def pretrain(
    out: Annotated[Path, typer.Option(help="Folder of the run; the finished model lies in OUT/model.")],
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of text, weights and order.")] = 0,
    tokens: Annotated[
        float, typer.Option(min=0, max=1e6, help="Tokens of text, in millions; 0 takes the shipped recipe's.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, max=1024, help="CPU threads.")] = 1,
) -> None:
    """Pretrain the embedded reasoner from nothing. The same command resumes after a kill.

    selftaught toy pretrain --out runs/pretrain-0 --seed 0
    """
    import torch

    from selftaught.errors import ConfigError
    from selftaught.runs.folders import Folder
    from selftaught.toy.pretrain import PretrainSettings
    from selftaught.toy.pretrain import pretrain as run

    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device is {device!r}; expected auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda, but torch sees no GPU; use cpu or auto.")
    torch.set_num_threads(threads)
    Folder(out).make()
    settings = PretrainSettings(seed=seed)
    if tokens:
        settings = PretrainSettings(seed=seed, num_tokens=int(tokens * 1e6))
    folder = run(out, settings, device=device, report=lambda line: typer.echo(line, err=True))
    typer.echo(folder)


def problems(
    split: Annotated[str, typer.Argument(help="pretrain, pool, dev or test.")],
    total: Annotated[int, typer.Argument(min=1, max=10_000_000, help="How many, shared out by group.")],
    seed: Annotated[int, typer.Option(help="Another seed, other problems.")] = 0,
) -> None:
    """Print problems of a split as JSON Lines.

    selftaught toy problems dev 20 > dev.jsonl
    """
    from selftaught.errors import ConfigError
    from selftaught.toy.problems import Split, generate

    if split not in list(Split):
        raise ConfigError(f"split is {split!r}; expected one of {', '.join(Split)}.")
    for problem in generate(split, total, seed=seed):
        typer.echo(problem.to_json())


def gate(
    folder: Annotated[Path | None, typer.Argument(help="Model folder; the shipped one when left out.")] = None,
    num_each: Annotated[int, typer.Option(min=1, max=1_000_000, help="Development problems a family.")] = 20,
) -> None:
    """Measure how well a model copies numbers from unseen questions into code, on the development split.

    selftaught toy gate
    """
    import json

    from selftaught.progress import Progress, counted
    from selftaught.progress.bars import bars

    with bars() as show:
        show(Progress("gate", notes=("loading",)))
        from selftaught.toy import model_path
        from selftaught.toy.gate import gate as run
        from selftaught.toy.model import load_pretrained

        model, tokenizer = load_pretrained(folder or model_path())
        report = run(model, tokenizer, num_each=num_each, seed=1, progress=counted(show, "gate"))
    typer.echo(json.dumps(report.rates(), indent=2))
