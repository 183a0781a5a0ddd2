"""How much decontamination removes beyond the two published rules, on every pair of the problem files of a folder.

    python benchmarks/decontamination.py FOLDER [--only NAME,NAME…] [--show]

A row counts as *demanded* when the plain rules ask for it: half of a benchmark problem's 10-word runs (words cut in three usual ways), or
Qwen2.5-Math's 13-word run with 60 % of the words in order, or equal words. Whatever else goes is *beyond*: respelt, short or
unspaced text, or a mistake. ``--show`` prints those pairs of texts to be judged by eye. Files are read with `--drop 'answer is empty'` for maths.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from selftaught.problems import load_problems
from selftaught.problems.decontaminate import Decontaminator, common_subsequence
from selftaught.problems.rows import kind_of
from selftaught.records import Problem

PATTERNS = (r"[a-z0-9]+", r"\w+", r"[a-z]+|[0-9]+")


class Reference:
    """The plain rules, written down once more without any of the package's cutting."""

    def __init__(self, problems: list[Problem]) -> None:
        self.words = [[re.findall(p, problem.problem.casefold()) for p in PATTERNS] for problem in problems]
        self.holders: list[dict[tuple[str, ...], list[int]]] = [{} for _ in PATTERNS]
        self.runs = [[runs(words, 10) for words in row] for row in self.words]
        self.long: dict[tuple[str, ...], set[int]] = {}
        for number, row in enumerate(self.words):
            for held, found in zip(self.holders, self.runs[number], strict=True):
                for run in found:
                    held.setdefault(run, []).append(number)
            for run in runs(row[0], 13):
                self.long.setdefault(run, set()).add(number)

    def demands(self, text: str) -> bool:
        cut = [re.findall(p, text.casefold()) for p in PATTERNS]
        for words, held, index in zip(cut, self.holders, range(len(PATTERNS)), strict=True):
            hits = Counter(number for run in runs(words, 10) for number in held.get(run, ()))
            if any(2 * count >= len(self.runs[number][index]) for number, count in hits.items()):
                return True
        if any(row[0] == cut[0] for row in self.words):
            return True
        suspects = {number for run in runs(cut[0], 13) for number in self.long.get(run, ())}
        return any(
            common_subsequence(cut[0], self.words[number][0]) > 0.6 * max(len(cut[0]), len(self.words[number][0]))
            for number in suspects
        )


def runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="Names of files, by commas, without their suffixes.")
    parser.add_argument("--show", action="store_true", help="Print every pair of texts beyond the plain rules.")
    given = parser.parse_args()
    files = [path for path in sorted(given.folder.iterdir()) if kind_of(path)]
    wanted = given.only.split(",") if given.only else [path.stem for path in files]
    sets = {path.stem: load(path) for path in files if path.stem in wanted}
    worst, compared, beyond_all = 0.0, 0, 0
    print("train\tbenchmark\trows\tremoved\tdemanded\tbeyond\tof the others")
    for name, bench in sets.items():
        index, reference = Decontaminator([(name, bench)]), Reference(bench)
        texts = {problem.id: problem.problem for problem in bench}
        for other, train in sets.items():
            if other == name or name in other or other in name:
                continue
            removed = {problem.id: match for problem in train if (match := index.match(problem.problem)) is not None}
            demanded = {p.id for p in train if p.id in removed and reference.demands(p.problem)}
            beyond = [p for p in train if p.id in removed and p.id not in demanded]
            share = len(beyond) / max(1, len(train) - len(demanded))
            worst, compared, beyond_all = max(worst, share), compared + len(train), beyond_all + len(beyond)
            if removed:
                print(
                    f"{other}\t{name}\t{len(train)}\t{len(removed)}\t{len(demanded)}\t{len(beyond)}\t{share:.2%}",
                    flush=True,
                )
            for problem in beyond if given.show else ():
                match = removed[problem.id]
                print(f"  {match.reason} {match.overlap}\n    {problem.problem!r}\n    {texts[match.matched_id]!r}")
    print(f"{compared} rows compared: {beyond_all} beyond the plain rules; largest share of a pair {worst:.2%}")


def load(path: Path) -> list[Problem]:
    """The problems of a file; maths rows without an answer are left out, since some sets have them."""
    drop = ["answer is empty"] if path.stem.startswith("math_train") else []
    return load_problems(path, drop=drop, tell=lambda line: None)


if __name__ == "__main__":
    main()
