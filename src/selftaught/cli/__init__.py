"""Command line: one file per verb, none of them loaded before it is called."""
