"""Report: from ``report.json`` and a run's records to a table, ``report.md``, figures and one self-contained page."""

from __future__ import annotations

from selftaught.report.terminal import print_summary
from selftaught.report.write import ReportPaths, write_report

__all__ = ["ReportPaths", "print_summary", "write_report"]
