"""Machines: which hosts a recipe may use, and how a command is started on one of them.

All hosts see the same folders under the same paths (a shared disk) and have the same programs installed. Nothing is copied.
"""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Mapping, Sequence

from pydantic import Field

from selftaught.records import Record


class Cluster(Record):
    """The machines. ``hosts`` empty: this one alone."""

    hosts: list[str] = Field(default_factory=list)
    """Names under which the machines reach each other; the run is started on the first."""
    gpus_per_host: int = Field(default=8, ge=1)
    """GPUs of each machine."""
    remote: str = "ssh -tt -o BatchMode=yes {host}"
    """Shell words that run what follows on another machine."""


def on_host(cluster: Cluster, host: str, words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Words that run ``words`` on ``host`` in this folder, with these variables; as they stand when it is this machine."""
    pairs = [f"{key}={value}" for key, value in environment.items()]
    if is_here(host):
        return ["env", *pairs, *words] if pairs else list(words)
    prefix = shlex.split(cluster.remote.replace("{host}", host))
    script = f"cd {shlex.quote(os.getcwd())} && exec env {shlex.join([*pairs, *words])}"
    # ssh hands its words to a shell on the other side, joined; other programs take them as they are.
    return [*prefix, script] if os.path.basename(prefix[0]) == "ssh" else [*prefix, "sh", "-c", script]


def is_here(host: str) -> bool:
    """Whether a host's name is this machine's."""
    own = socket.gethostname()
    return host in ("", "localhost", "127.0.0.1", own, own.partition(".")[0])
