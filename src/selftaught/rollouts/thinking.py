"""Where a model's thinking ends: told by its settings, its vocabulary and its prompt."""

from __future__ import annotations

from selftaught.manner import ThinkStyle
from selftaught.rollouts.settings import RolloutSettings
from selftaught.tokens.codec import Codec


def has_think_tags(codec: Codec, settings: RolloutSettings) -> bool:
    """Whether ``</think>`` ends the thinking; if not, the whole turn is thinking."""
    style = settings.sampling.think_style
    tags = codec.think_close_id is not None and style is not ThinkStyle.WHOLE_TURN
    return tags or style is ThinkStyle.TAGS


def thinking_is_over(prompt_ids: list[int], codec: Codec) -> bool:
    """True when the template has closed the thinking by itself (an empty ``<think></think>``)."""
    for token_id in reversed(prompt_ids[-32:]):
        if token_id == codec.think_open_id:
            return False
        if token_id == codec.think_close_id:
            return True
    return False
