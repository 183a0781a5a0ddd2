"""An evaluation recipe: several conditions in one table, such as all ablations of the hints.

A YAML file: ``conditions`` names them and says in which rollout settings (or in which ``model``) each differs,
``ablation_of`` the one that the others are tabled against. A hint library may be named by a path relative to the file.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.complaints import complaint
from selftaught.errors import ConfigError
from selftaught.overrides import read_mapping

if TYPE_CHECKING:
    from selftaught.rollouts import RolloutSettings

PLANS = Path(__file__).with_name("plans")
"""Where the shipped ones lie."""


class EvalPlan(BaseModel):
    """Conditions by name; each holds fields of ``RolloutSettings`` and, if it is another model's, ``model``."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str = ""
    ablation_of: str | None = None
    reference: str | None = None
    conditions: dict[str, dict[str, Any]] = Field(min_length=1)

    def resolve(
        self, model: str, settings: RolloutSettings, folder: Path
    ) -> tuple[list[tuple[str, RolloutSettings]], list[str]]:
        """(model, settings) of every condition, and the conditions left out because their model folder is not there.

        ConfigError on an option that a rollout does not have, and when the reference itself is left out.
        """
        from selftaught.rollouts.settings import checked_settings

        planned: list[tuple[str, RolloutSettings]] = []
        missing: list[str] = []
        for name, options in self.conditions.items():
            options = dict(options)
            own_model = str(options.pop("model", model))
            if own_model != model and _is_missing_folder(own_model):
                missing.append(f"{name} ({own_model})")
                continue
            if ":" in str(options.get("hints", "")) and (folder / str(options["hints"]).partition(":")[0]).is_file():
                options["hints"] = str(folder / options["hints"])
            merged = checked_settings(
                {**settings.flat(), **options, "condition": name}, where=f"{self.name}: conditions.{name}: "
            )
            planned.append((own_model, merged))
        names = [chosen.condition for _, chosen in planned]
        if self.ablation_of and self.ablation_of not in names:
            raise ConfigError(
                f"{self.name}: {self.ablation_of!r}, which the others are tabled against, is not there: {', '.join(missing) or 'no such condition'}."
            )
        return planned, missing


def _is_missing_folder(model: str) -> bool:
    """Whether a model is named by a path that is not there. A hub id has one slash, a folder of a run has more."""
    return "://" not in model and model.count("/") > 1 and not Path(model).is_dir()


def plan_names() -> list[str]:
    """Names of the shipped evaluation recipes."""
    return sorted(path.stem for path in PLANS.glob("*.yaml") if "conditions:" in path.read_text("utf-8"))


def load_plan(name: str) -> tuple[EvalPlan, Path]:
    """A plan by path or by the name of a shipped one, and the folder that its hint libraries are relative to."""
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else PLANS / f"{name}.yaml"
    if not path.is_file():
        near = get_close_matches(Path(name).stem, plan_names(), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"evaluation recipe {name!r} was not found; expected a YAML file or one of {', '.join(plan_names())}.{hint}"
        )
    content = read_mapping(path, "an evaluation recipe with conditions")
    try:
        return EvalPlan.model_validate(content), path.parent
    except ValidationError as error:
        raise ConfigError(f"{path}: {complaint(error, EvalPlan.model_fields, whole='the recipe')}") from None
