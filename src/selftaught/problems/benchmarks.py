"""The benchmarks that are known by name: where each lies, at which revision, under which licence, how large it is.

``adapt`` turns a row of the hub into one of our own format. The questions are asked in the words of `problems.render`
(maths and choice: "Please reason step by step, and put your final answer within \\boxed{}."), which are also the words
of MathArena and of Qwen's evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selftaught.problems.fields import LETTERS
from selftaught.problems.rows import Row
from selftaught.records import ProblemKind

STEM_SUBJECTS = frozenset(
    "abstract_algebra astronomy college_biology college_chemistry college_computer_science college_mathematics college_physics "
    "computer_security conceptual_physics electrical_engineering elementary_mathematics high_school_biology "
    "high_school_chemistry high_school_computer_science high_school_mathematics high_school_physics high_school_statistics "
    "machine_learning".split()
)
"""The 18 subjects that MMLU's authors file under STEM."""


@dataclass(frozen=True)
class Benchmark:
    """One known benchmark. ``adapt`` turns a hub row into a row that ``formats`` reads, or None to leave it out."""

    name: str
    title: str
    kind: ProblemKind
    size: int
    licence: str
    hub_repo: str
    hub_revision: str
    hub_files: tuple[str, ...]
    adapt: Callable[[Row, int], Row | None]
    note: str = ""
    is_secret: bool = False
    """Its authors ask that no example stands in plain text on the web."""
    sha256: str = ""
    """Of its one file, where it is known: holds the content even where no revision is pinned."""


def _math500(row: Row, number: int) -> Row:
    return {"id": f"math500/{row['unique_id']}", "problem": row["problem"], "answer": row["answer"], "source": "MATH-500",
            "subject": row["subject"], "level": row["level"]}  # fmt: skip


def _aime24(row: Row, number: int) -> Row:
    return {
        "id": f"aime24/{row['id']}",
        "problem": row["problem"],
        "answer": str(int(row["answer"])),
        "source": "AIME 2024",
    }


def _aime25(row: Row, number: int) -> Row:
    return {
        "id": f"aime25/{row.get('id', number)}",
        "problem": row["problem"],
        "answer": str(row["answer"]),
        "source": "AIME 2025",
    }


def _amc23(row: Row, number: int) -> Row:
    return {
        "id": f"amc23/{row['id']}",
        "problem": row["question"],
        "answer": f"{float(row['answer']):g}",
        "source": "AMC 2023",
    }


def _gsm8k(split: str) -> Callable[[Row, int], Row]:
    def adapt(row: Row, number: int) -> Row:
        answer = row["answer"].rsplit("####", 1)[1].strip().replace(",", "")
        return {
            "id": f"gsm8k/{split}/{number}",
            "problem": row["question"],
            "answer": answer,
            "source": f"GSM8K {split}",
        }

    return adapt


def _math_train(row: Row, number: int) -> Row:
    return {"id": f"math_train/{number}", "problem": row["question"], "answer": str(row["gt_answer"]),
            "source": "MATH (levels 3-5, training side)", "subject": row.get("subject"), "level": row.get("level")}  # fmt: skip


def _mmlu_stem(row: Row, number: int) -> Row | None:
    if row["subject"] not in STEM_SUBJECTS:
        return None
    return {"id": f"mmlu_stem/{number}", "problem": row["question"], "choices": row["choices"],
            "answer": LETTERS[row["answer"]], "source": "MMLU test (STEM)", "subject": row["subject"]}  # fmt: skip


def _numbered(name: str, title: str) -> Callable[[Row, int], Row]:
    """MathArena's and BeyondAIME's rows: ``problem``, ``answer`` (a number or LaTeX) and mostly ``problem_idx``."""

    def adapt(row: Row, number: int) -> Row:
        return {
            "id": f"{name}/{row.get('problem_idx', number)}",
            "problem": row["problem"],
            "answer": str(row["answer"]),
            "source": title,
        }

    return adapt


def _as_is(row: Row, number: int) -> Row:
    return row


UNPINNED = "main"
"""The revision of a set for which no commit was to be had."""

_TRAIN, _TEST = "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"
_AIME_NOTE = "Problems are the Mathematical Association of America's; no explicit licence."

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("math500", "MATH-500", ProblemKind.MATH, 500, "MIT", "HuggingFaceH4/MATH-500",
                  "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", ("test.jsonl",), _math500),
        Benchmark("amc23", "AMC 2023", ProblemKind.MATH, 40, "none stated", "math-ai/amc23",
                  "80815d37005feb82cd7f8fbc6901d5d3eff43057",
                  ("test-00000-of-00001.parquet",), _amc23, note=_AIME_NOTE),
        Benchmark("aime24", "AIME 2024", ProblemKind.MATH, 30, "none stated", "HuggingFaceH4/aime_2024",
                  "2fe88a2f1091d5048c0f36abc874fb997b3dd99a", ("data/train-00000-of-00001.parquet",), _aime24, note=_AIME_NOTE),
        Benchmark("aime25", "AIME 2025", ProblemKind.MATH, 30, "none stated", "math-ai/aime25",
                  "563bb8404243c5f09de6ec262f2db674fe5bce9b", ("test.jsonl",), _aime25, note=_AIME_NOTE),
        Benchmark("gpqa_diamond", "GPQA Diamond", ProblemKind.CHOICE, 198, "CC BY 4.0", "Idavidrein/gpqa",
                  "633f5ee89ab8ad4522a9f850766b73f62147ffdd",
                  ("gpqa_diamond.csv",), _as_is, is_secret=True,
                  note="Gated: accept its terms on the hub and set HF_TOKEN, or give a local file. Its authors ask that no example be shown in "
                       "plain text on the web. Options are ordered by a hash."),
        Benchmark("livecodebench", "LiveCodeBench (code generation, lite)", ProblemKind.CODE, 1055, "MIT; statements of their sites",
                  "livecodebench/code_generation_lite", "0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
                  ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl"), _as_is,
                  note="release_v6; scores depend on the date window: livecodebench@2024-08-01..2024-11-30 is START's (112)."),
        Benchmark("mmlu_stem", "MMLU, STEM subjects", ProblemKind.CHOICE, 3018, "MIT", "cais/mmlu",
                  "c30699e8356da336a370243923dbaf21066bb9fe", ("all/test-00000-of-00001.parquet",), _mmlu_stem),
        Benchmark("gsm8k", "GSM8K", ProblemKind.MATH, 1319, "MIT", "openai/gsm8k",
                  "740312add88f781978c0658806c59bc2815b9866", ("main/test-00000-of-00001.parquet",), _gsm8k("test")),
        Benchmark("gsm8k_train", "GSM8K, training set", ProblemKind.MATH, 7473, "MIT", "openai/gsm8k",
                  "740312add88f781978c0658806c59bc2815b9866", ("main/train-00000-of-00001.parquet",), _gsm8k("train"),
                  note="A training set: nothing is reported on it."),
        Benchmark("math_train_l35", "MATH, training side, levels 3 to 5", ProblemKind.MATH, 8522, "MIT", "hkust-nlp/SimpleRL-Zoo-Data",
                  UNPINNED, ("simplelr_qwen_level3to5/train.parquet",), _math_train,
                  note="A training set: nothing is reported on it. Reworded MATH-500 problems remain in it: decontaminate."),
        Benchmark("humaneval", "HumanEval", ProblemKind.CODE, 164, "MIT", "openai/openai_humaneval",
                  "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544", ("openai_humaneval/test-00000-of-00001.parquet",), _as_is),
        *(
            Benchmark(name, title, ProblemKind.MATH, size, licence, repo, UNPINNED, (file,), _numbered(name, title), sha256=sha256,
                      note="No revision could be pinned: the newest is taken and named in the run." + note)
            for name, title, size, licence, repo, file, sha256, note in (
                ("aime26", "AIME 2026", 30, "CC BY-NC-SA 4.0", "MathArena/aime_2026", _TRAIN,
                 "d91db799651b4cc1f0734f52792a695c9cc60dac342524b3d8e5b2ff31c3e957", " Its SHA-256 is known. " + _AIME_NOTE),
                ("hmmt_feb25", "HMMT February 2025", 30, "CC BY-NC-SA 4.0", "MathArena/hmmt_feb_2025", _TRAIN, "", ""),
                ("hmmt_feb26", "HMMT February 2026", 33, "CC BY-NC-SA 4.0", "MathArena/hmmt_feb_2026", _TRAIN,
                 "e5fcff6b1c2262841c0c37bf6d7b42529f284528d5f0d5c45c52e8bf0654a916", " Its SHA-256 is known."),
                ("brumo25", "BRUMO 2025", 30, "CC BY-NC-SA 4.0", "MathArena/brumo_2025", _TRAIN, "", ""),
                ("beyond_aime", "BeyondAIME", 100, "CC0 1.0", "ByteDance-Seed/BeyondAIME", _TEST, "", ""),
            )
        ),
        Benchmark("mbpp", "MBPP (test, JSON values)", ProblemKind.CODE, 484, "CC BY 4.0", "google-research-datasets/mbpp",
                  "4bb6404fdc6cacfda99d4ac4205087b89d32030c", ("full/test-00000-of-00001.parquet",), _as_is,
                  note="Task ids 11 to 510; rows whose asserts hold no JSON values are left out. The first test is shown as the example."),
        Benchmark("mbpp_train", "MBPP, training side (JSON values)", ProblemKind.CODE, 451, "CC BY 4.0", "google-research-datasets/mbpp",
                  "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
                  tuple(f"full/{split}-00000-of-00001.parquet" for split in ("prompt", "validation", "train")), _as_is,
                  note="A training set: nothing is reported on it. Task ids 1 to 10 and 511 to 974."),
    )
}  # fmt: skip
"""Known benchmarks by name. Pinned revisions and checksums were read in public code that pins them; none could be
fetched where this was written."""
