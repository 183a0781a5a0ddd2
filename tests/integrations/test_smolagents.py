"""smolagents' CodeAgent, itself, with a scripted model and our executor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.sandbox.processes import sandbox_processes

from selftaught.sandbox import SandboxSettings

smolagents: Any = pytest.importorskip("smolagents", reason="smolagents is not installed")

from selftaught.integrations.smolagents import SandboxedExecutor  # noqa: E402


@pytest.fixture
def executor() -> Iterator[SandboxedExecutor]:
    with SandboxedExecutor(SandboxSettings(preload=(), workers=1, light=False), timeout_s=20.0) as opened:
        yield opened


@pytest.fixture
def agent(executor: SandboxedExecutor) -> Any:
    """``agent(step, …)``: a CodeAgent whose model writes these steps."""

    @smolagents.tool
    def price(item: str) -> float:
        """Price of an item.

        Args:
            item: Its name.
        """
        if item == "none":
            raise ValueError("no such item")
        return len(item) / 2

    class Scripted(smolagents.Model):  # type: ignore[misc]
        def __init__(self, steps: tuple[str, ...]) -> None:
            super().__init__()
            self.steps = list(steps)

        def generate(self, messages: Any, **options: Any) -> Any:
            return smolagents.ChatMessage(
                role="assistant", content=f"Thought: go on\n<code>\n{self.steps.pop(0)}\n</code>"
            )

    def make(*steps: str) -> Any:
        return smolagents.CodeAgent(tools=[price], model=Scripted(steps), executor=executor, verbosity_level=0)

    return make


def test_an_agent_uses_tools_variables_and_earlier_names(agent: Any) -> None:
    made = agent(
        "total = price('tea') * n\nprint('so far', total)\ntotal",
        "price('none')",
        "import datetime\nfinal_answer({'total': total, 'pair': (1, {2}), 'day': datetime.date(2026, 1, 2)})",
    )
    answer = made.run("What is it?", additional_args={"n": 4})
    assert (answer["total"], answer["pair"]) == (6.0, (1, {2})) and answer["day"].year == 2026
    first, second, _ = [step for step in made.memory.steps if hasattr(step, "observations")]
    assert first.observations == "Execution logs:\nso far 6.0\nLast output from code snippet:\n6.0"
    assert "no such item" in str(second.error) and not second.observations


def test_a_lost_interpreter_is_said_and_replaced(executor: SandboxedExecutor, agent: Any) -> None:
    made = agent("import os\nx = 1\nos._exit(0)", "'x' in globals()", "final_answer(math.floor(n))")
    assert made.run("Go", additional_args={"n": 4.5}) == 4
    lost, looked, _ = [step for step in made.memory.steps if hasattr(step, "observations")]
    assert "the variables of earlier steps are gone" in str(lost.error)
    assert looked.observations.endswith("False")


def test_the_code_has_no_files_and_no_network(executor: SandboxedExecutor) -> None:
    for code in ("open('/etc/passwd')", "import socket; socket.socket()"):
        with pytest.raises(Exception, match="FileNotFoundError|PermissionError"):
            executor(code)
    assert executor("print('well')\n1").logs == "well\n"


def test_cleanup_leaves_nothing(agent: Any) -> None:
    before = sandbox_processes(os.getpid())
    made = agent("final_answer(1)")
    made.run("Go")
    assert sandbox_processes(os.getpid(), before)
    made.cleanup()
    assert not sandbox_processes(os.getpid(), before)
