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
        report_to: Annotated[
            str | None,
            typer.Option(help="Also send the curves to wandb, trackio or tensorboard (several by commas)."),
        ] = None,
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="Any other setting: packing=true, loss.hint=0.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    ) -> None:
        """Fine-tune MODEL on DATA into OUT, a standard Hugging Face folder.

        The loss weight of each token follows from who wrote it: the model and hints 1, prompt and tool output 0, unless
        --set loss.hint=0 says otherwise. Under torchrun or accelerate launch, every process runs this same command.
        """
        from selftaught.progress.bars import bars
        from selftaught.training.folder import plan_training

        given: dict[str, Any] = {
            "learning_rate": learning_rate,
            "epochs": epochs,
            "global_batch_size": global_batch_size,
            "micro_batch_size": micro_batch_size,
            "max_length": max_length,
            "seed": seed,
            "report_to": report_to,
        }
        plan = plan_training(data, model, out, given, config=config, part=round_, overrides=set_)
        if plan.defaults:
            shown = ", ".join(f"{key} {value:g}" for key, value in plan.defaults.items())
            print(f"the embedded model's training settings where none are given: {shown}", file=sys.stderr)
        was_done = plan.is_done
        with bars() as show:
            summary = plan.run(show)
        if was_done:
            print(f"{out} holds this model already, trained with the same settings on the same rows.", file=sys.stderr)
        if as_json:
            print(json.dumps(summary.model_dump(mode="json")))
        else:
            loss = f"{summary.final_loss:.4f}" if summary.final_loss is not None else "–"
            print(f"{out}: {summary.num_rows} rows, {summary.num_steps} steps, loss {loss}, {summary.seconds:.0f} s")
