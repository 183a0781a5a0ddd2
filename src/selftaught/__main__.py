"""``python -m selftaught`` is the command ``selftaught``."""

from __future__ import annotations

import sys

from selftaught.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
