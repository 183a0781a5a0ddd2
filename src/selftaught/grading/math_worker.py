"""One maths worker process: reads a pair a line, says whether math-verify finds them equal.

Started as ``python -m selftaught.grading.math_worker``. A process of its own, since sympy can run for ever or eat all
memory: it has an alarm and a memory limit, and it is killed when neither helps. The process that imported math-verify only
forks the ones that work, so that a killed one has a successor in milliseconds. Nothing is printed to the answer pipe but
answers, and ``ready PID`` from each new worker.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn, TextIO

from selftaught.parent import die_with_parent

MEMORY_LIMIT_BYTES = 2 << 30


class _OutOfTime(BaseException):
    """Not an Exception, so that no ``except Exception`` of a library swallows it."""


def _alarm(_signal: int, _frame: Any) -> NoReturn:
    raise _OutOfTime


def are_equal(gold: str, prediction: str) -> bool:
    """math-verify's verdict, gold first (it is not symmetric), both given as ``\\boxed{}``."""
    from math_verify import parse, verify
    from math_verify.parser import ExprExtractionConfig, LatexExtractionConfig

    configs = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    parsed_gold = parse(f"\\boxed{{{gold}}}", configs, parsing_timeout=None)
    parsed_prediction = parse(f"\\boxed{{{prediction}}}", configs, parsing_timeout=None)
    return bool(verify(parsed_gold, parsed_prediction, timeout_seconds=None, allow_set_relation_comp=True))


def main() -> int:
    """Answer pairs from standard input until it ends. One argument: CPU seconds for a pair, so that a busy machine costs none."""
    timeout_s = float(sys.argv[1])
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    import logging

    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401  # pay for the import before saying that we are ready

    while True:
        child = os.fork()
        if child == 0:
            die_with_parent()
            _serve(answers, timeout_s)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return 0


def _serve(answers: TextIO, timeout_s: float) -> None:
    """Answer one pair a line until there are no more."""
    answers.write(f"ready {os.getpid()}\n")
    answers.flush()
    signal.signal(signal.SIGPROF, _alarm)
    requests = io.FileIO(0, closefd=False)
    pending = b""
    while True:
        while b"\n" not in pending:
            data = requests.read(1 << 16)
            if not data:
                return
            pending += data
        line, _, pending = pending.partition(b"\n")
        pair = json.loads(line)
        answers.write(json.dumps(_judge(pair["gold"], pair["prediction"], timeout_s)) + "\n")
        answers.flush()


def _judge(gold: str, prediction: str, timeout_s: float) -> dict[str, Any]:
    equal, reason = False, ""
    try:
        signal.setitimer(signal.ITIMER_PROF, timeout_s)
        equal = are_equal(gold, prediction)
    except _OutOfTime:
        reason = "timeout"
    except MemoryError:
        reason = "memory"
    except RecursionError:
        reason = "recursion"
    except Exception as error:  # whatever a library stumbles over is a pair it cannot judge
        reason = type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"equal": equal, "reason": reason}


if __name__ == "__main__":
    sys.exit(main())
