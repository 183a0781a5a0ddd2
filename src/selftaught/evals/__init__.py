"""Evaluation: benchmarks, statistics, scaling curves and transitions, gathered into one ``ReportData``."""
