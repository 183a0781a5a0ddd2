"""What a run's digests are taken of.

A digest may only change when results may change. The keys of the first version are written out here. A key that was
added later counts only when its value differs from its default: so a folder that was made before the key existed keeps
its digest, and still belongs to its recipe.
"""

from __future__ import annotations

from typing import Any

from selftaught.records import Record

KEYS: dict[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "Recipe": "base_model model_name seed pool test decontaminate defaults seed_round start_round control evaluate",
        "ProblemSource": "source limit seed counts",
        "Decontaminate": "enabled against min_share method",
        "Round": "rollout curate train",
        "SeedRound": "rollout curate train greedy",
        "Evaluation": "rollout conditions scaling_rounds",
        "CurateSettings": "dataset rule filters modifications require_tool max_per_problem tool_share max_rows max_per_family seed",
        "FilterSettings": "failed_execution max_tokens max_line_repeats max_repeat_share min_template_lines answer_before_call "
        "allow_text_only skip",
        "SftSettings": "learning_rate epochs global_batch_size micro_batch_size max_length packing schedule warmup_share "
        "weight_decay betas max_grad_norm loss precision gradient_checkpointing attention save_every_steps keep_checkpoints "
        "keep_after_end log_every_steps report_to seed num_threads lora expect_world_size expect_sharding",
        "LossPolicy": "prompt model hint tool control",
        "LoraSettings": "rank alpha dropout target_modules",
        "HintLearning": "share places forks hints hints_each design loss_weight token_cost max_loss loss_risk random_insertion",
    }.items()
}
"""Record → the keys that always count: those of the first version that had the record."""

IGNORED = frozenset(
    {"name", "description", "ablation", "estimates", "launch", "serving", "cluster", "ray", "parallel_stages"}
)
"""Keys of a recipe that change no result: names, how the work is spread, estimates."""


def settled(record: Record) -> dict[str, Any]:
    """The content of a record as its digest takes it."""
    known = KEYS[type(record).__name__]
    dumped = record.model_dump(mode="json")
    content: dict[str, Any] = {}
    for key, field in type(record).model_fields.items():
        if type(record).__name__ == "Recipe" and key in IGNORED:
            continue
        value = getattr(record, key)
        if key not in known and value == field.get_default(call_default_factory=True):
            continue
        content[key] = settled(value) if isinstance(value, Record) else dumped[key]
    return content
