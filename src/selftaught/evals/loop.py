"""START's conditions by role, for tables, claims and charts.

Their names are spelled in ``runs/`` and looked up when needed.
"""

from __future__ import annotations

from selftaught.runs.condition import Condition, LoopModel, loop_names


class _Loop:
    """The names of START's conditions as they are now."""

    @property
    def base(self) -> str:
        """The model that START begins with."""
        return Condition(LoopModel.BASE).name

    @property
    def base_hint(self) -> str:
        """The same with hints."""
        return Condition(LoopModel.BASE, hints=True).name

    @property
    def control(self) -> str:
        """The base trained on its own right answers without tools."""
        return Condition(LoopModel.CONTROL).name

    @property
    def start_0(self) -> str:
        """The model of round one."""
        return Condition(LoopModel.START_0).name

    @property
    def start(self) -> str:
        """The model of round two."""
        return Condition(LoopModel.START).name

    @property
    def start_hint(self) -> str:
        """START with hints."""
        return Condition(LoopModel.START, hints=True).name

    @property
    def start_no_tools(self) -> str:
        """START without the interpreter."""
        return Condition(LoopModel.START, tools=False).name

    @property
    def names(self) -> tuple[str, ...]:
        """All of them in the order of every table."""
        return loop_names()


LOOP = _Loop()
"""``LOOP.start`` is START's name."""
