"""Which number type a rollout runs in when its settings say ``auto``: settled once, so that the record says what was
used.

A folder that was begun keeps its type, also on another machine: a resumed run draws its tokens as the first part did.
"""

from __future__ import annotations

from selftaught.engines.dtype import AUTO, resolve_dtype
from selftaught.rollouts.settings import RolloutSettings
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.record import peek_record
from selftaught.tokens.folder import is_url, resolve_model

SERVED = "float32"
"""What the record of a served model says: the server chooses, and no setting of ours changes it."""


def settle_dtype(settings: RolloutSettings, model: str, folder: RolloutFolder) -> RolloutSettings:
    """Settings with a number type instead of ``auto``. EngineError if the model is not there."""
    if settings.engine.dtype != AUTO:
        return settings
    there = peek_record(folder.path)
    recorded = there.settings.get("dtype") if there is not None else None
    if is_url(model):
        dtype = recorded or SERVED
    else:
        dtype = recorded or resolve_dtype(AUTO, resolve_model(model), settings.engine.device)
    engine = settings.engine.model_copy(update={"dtype": str(dtype)})
    return settings.model_copy(update={"engine": engine})
