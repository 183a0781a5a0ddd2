"""``selftaught train DATA --model M --out DIR``: supervised fine-tuning on curated trajectories."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="train")
    def train(
        data: Annotated[Path, typer.Argument(help="kept.jsonl of a curation, or its folder.")],
        model: Annotated[str, typer.Option(help="Base model: a folder, a hub id, or `toy`.")],
        out: Annotated[
            Path,
            typer.Option(
                help="Folder for the model; the same command goes on in it, and does nothing when it is complete."
            ),
        ],
        config: Annotated[
            Path | None, typer.Option(help="YAML with training settings, or a recipe with --round.")
        ] = None,
        round_: Annotated[
            str | None,
            typer.Option(
                "--round", help="Take the settings from this part of the recipe: seed_round, start_round, control."
            ),
        ] = None,
        learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
        epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
        global_batch_size: Annotated[int | None, typer.Option(help="Rows a step, over all processes.")] = None,
        micro_batch_size: Annotated[int | None, typer.Option(help="Rows a process takes at once.")] = None,
        max_length: Annotated[int | None, typer.Option(help="Longest row in tokens; longer ones are refused.")] = None,
        seed: Annotated[int | None, typer.Option(help="Order of the rows.")] = None,
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="Any other setting: packing=true, loss.hint=0.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    ) -> None:
        """Fine-tune MODEL on DATA into OUT, a standard Hugging Face folder.

        The loss weight of each token follows from who wrote it: the model and hints 1, prompt and tool output 0, unless
        --set loss.hint=0 says otherwise. Under torchrun or accelerate launch, every process runs this same command.
        """
        from selftaught.progress import Progress, counted
        from selftaught.progress.bars import bars
        from selftaught.runs.folders import DataFolder, ModelFolder
        from selftaught.tokens.folder import model_source
        from selftaught.training.launch import read_settings
        from selftaught.training.render import load_rows
        from selftaught.training.settings import defaults_for
        from selftaught.training.sft import train_sft

        given: dict[str, Any] = {
            "learning_rate": learning_rate,
            "epochs": epochs,
            "global_batch_size": global_batch_size,
            "micro_batch_size": micro_batch_size,
            "max_length": max_length,
            "seed": seed,
        }
        base = model_source(model)
        defaults = defaults_for(base) if config is None else {}
        if defaults:
            shown = ", ".join(f"{key} {value:g}" for key, value in defaults.items())
            print(f"the embedded model's training settings where none are given: {shown}", file=sys.stderr)
        given = defaults | {key: value for key, value in given.items() if value is not None}
        settings = read_settings(config, round_, given, set_ or [])
        path = DataFolder(data).kept if data.is_dir() else data
        was_done = ModelFolder(out).summary.exists()
        rows = load_rows(path, settings.loss, settings.max_length)
        with bars() as show:
            show(Progress("training", notes=(f"loading {model}",)))
            summary = train_sft(rows, base, out, settings, progress=counted(show, "training"))
        if was_done:
            print(f"{out} holds this model already, trained with the same settings on the same rows.", file=sys.stderr)
        if as_json:
            print(json.dumps(summary.model_dump(mode="json")))
        else:
            loss = f"{summary.final_loss:.4f}" if summary.final_loss is not None else "–"
            print(f"{out}: {summary.num_rows} rows, {summary.num_steps} steps, loss {loss}, {summary.seconds:.0f} s")
