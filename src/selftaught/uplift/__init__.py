"""Where a hint helps: forks of one prefix with and without a hint, and what is learned from them (docs/adaptive.md)."""

from __future__ import annotations

from selftaught.uplift.records import NO_HINT, Fork, ForkBranch, Place

__all__ = ["NO_HINT", "Fork", "ForkBranch", "Place"]
