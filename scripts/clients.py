"""Make an environment for each client that `make test-clients` runs, in the folder that is named. What is there stays.

One environment for each, because their requirements disagree. Standard library only.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TORCH = "torch>=2.8"
CLIENTS: dict[str, list[str]] = {
    "openai": ["openai>=3"],
    "litellm": ["litellm>=1.110"],
    "langchain": ["langchain-openai>=1.7"],
    "llm": ["llm>=0.36"],
    "inspect": ["inspect-ai>=0.3.285", "openai>=3"],
    "lmeval": [TORCH, "lm-eval[api]>=0.4.13"],
    "openwebui": [TORCH, "open-webui>=0.12.4", "selenium>=4.40"],
    "mcp": [
        "mcp>=2.3,<3", "fastmcp>=4.2", "smolagents>=1.26,<2", "pytest>=9", "pytest-asyncio", "hypothesis",
        "numpy", "pydantic", "typer", "rich", "pyyaml", "jinja2",
    ],
}  # fmt: skip
"""Name → what pip installs, the big one first and on its own."""


def make(folder: Path, requirements: list[str]) -> None:
    """One environment. A file says that it is whole, so that a broken attempt is made again."""
    whole = folder / ".whole"
    if whole.exists():
        return
    print(f"{folder}", file=sys.stderr)
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    if TORCH in requirements:
        index = [sys.executable, str(Path(__file__).with_name("torch_index.py"))]
        options = subprocess.run(index, capture_output=True, text=True, check=True).stdout.split()
        subprocess.run([*pip, *options, TORCH], check=True)
    subprocess.run([*pip, *requirements], check=True)
    whole.touch()


def main(folder: Path) -> None:
    """All of them; Codex, which is no Python, where npm is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, requirements in CLIENTS.items():
        make(folder / name, requirements)
    codex = folder / "codex"
    if shutil.which("npm") and not (codex / "node_modules/.bin/codex").exists():
        codex.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", codex, "@openai/codex"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
