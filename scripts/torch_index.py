"""Print the pip option that makes torch a CPU build where no NVIDIA GPU is: its CUDA packages are several GB.

Prints nothing, so that pip takes its usual index, when a GPU is there, when the machine's pip was told where wheels
come from, when torch's own index cannot be reached within three seconds, or off Linux. Runs before anything is
installed: standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT_S = 3.0


def pip_is_configured() -> bool:
    """Whether somebody already decided where packages come from: by the environment or by pip's configuration."""
    if any(os.environ.get(f"PIP_{name}") for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX")):
        return True
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    return any(key in listing for key in ("index-url", "find-links", "no-index"))


def main() -> None:
    """Print ``--extra-index-url …`` or nothing."""
    if not sys.platform.startswith("linux") or shutil.which("nvidia-smi") or pip_is_configured():
        return
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=TIMEOUT_S):
            print("--extra-index-url", CPU_INDEX)
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    main()
