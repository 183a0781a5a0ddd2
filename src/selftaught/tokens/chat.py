"""Chat templates: the Jinja text in a model folder, rendered as transformers renders it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.errors import EngineError

if TYPE_CHECKING:
    from jinja2 import Template

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Used for a model that ships no template but knows ``<|im_start|>``."""


class ChatTemplate:
    """One model's template and the special strings that it may name."""

    def __init__(self, source: str, variables: dict[str, str]) -> None:
        self.source = source
        self.variables = variables

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> ChatTemplate:
        """From ``chat_template.jinja`` or ``tokenizer_config.json``; ChatML if there is neither."""
        path = folder / "chat_template.jinja"
        source: Any = path.read_text("utf-8") if path.is_file() else config.get("chat_template")
        if isinstance(source, list):  # several named ones
            named = {entry.get("name"): entry.get("template") for entry in source}
            source = named.get("default") or next(iter(named.values()), None)
        variables = {}
        for name in ("bos_token", "eos_token", "unk_token", "pad_token"):
            value = config.get(name)
            if isinstance(value, dict):
                value = value.get("content")
            if isinstance(value, str):
                variables[name] = value
        return cls(source or CHATML, variables)

    @cached_property
    def _compiled(self) -> Template:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def raise_exception(message: str) -> None:
            raise EngineError(f"the chat template refused the messages: {message}")

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = raise_exception
        environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
        return environment.from_string(self.source)

    def render(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The text of the turn so far, ending where the assistant begins."""
        return self._compiled.render(
            messages=list(messages),
            add_generation_prompt=add_generation_prompt,
            tools=None,
            documents=None,
            **self.variables,
        )
