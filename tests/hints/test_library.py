from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.hints import load_library, split_name
from selftaught.hints.lint import lint_library
from selftaught.records import ProblemKind


def test_the_built_in_library_is_whole() -> None:
    library = load_library()
    maths = ["complex_calculations", "self_reflection", "check_logic", "alternative_method", "general", "think_deeper"]
    assert set(maths) | {"check_again", "debug", "repair", "trust"} == set(library.functions)
    for name, function in library.functions.items():
        assert len(function.en) >= 2, name
        assert function.zh, name
    for name in maths:
        assert len(library.functions[name].en) >= 3
        assert all("Python" in text or "code" in text for text in library.functions[name].en)
    assert list(lint_library(library)) == []
    assert all("```" not in text for _, text in library.texts())
    assert len(set(library.texts())) > 50


def test_policies_by_kind() -> None:
    library = load_library()
    assert library.policy("auto", ProblemKind.CODE).rules[0].name == "debug"
    assert library.policy("auto", ProblemKind.CHOICE).rules[0].name == "after_word"
    assert library.policy("none", ProblemKind.MATH).rules == []
    with pytest.raises(ConfigError, match="no policy 'nope'"):
        library.policy("nope", ProblemKind.MATH)


def test_a_users_file_is_laid_over_the_built_in_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "functions:\n  tedious: {purpose: mine, en: ['this is tedious, so let the machine do it.']}\n"
        "policies:\n  mine:\n    rules:\n      - {name: a, when: word, words: [Hmm], hints: [tedious, general], choose: weighted, weights: {tedious: 3, general: 1}}\n"
    )
    library = load_library(file)
    assert library.name == "mine" and "general" in library.functions and "tedious" in library.functions
    assert library.policy("mine", ProblemKind.MATH).rules[0].words == ["Hmm"]
    assert split_name(f"{file}:mine") == (file, "mine")
    assert split_name(str(file)) == (file, "mine")  # its only policy
    assert split_name("early") == (None, "early")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "holds a list; expected a hint library"),
        ("policys: {}", "policys: no such key. Did you mean policies"),
        ("policies: {p: {rules: [{name: a, when: word, words: [x], hints: [nope]}]}}", "unknown hint 'nope'"),
        ("policies: {p: {rules: [{name: a, when: word, hints: [general]}]}}", "needs 'words'"),
        ("policies: {p: {rules: [{name: a, when: regex, pattern: '(', hints: [general]}]}}", "bad pattern"),
        (
            "policies: {p: {rules: [{name: a, when: sometime, hints: [general]}]}}",
            "when is 'sometime'; expected one of word, regex",
        ),
        (
            "policies: {p: {rules: [{name: a, when: paragraph, hints: [general], probability: 2}]}}",
            "probability is 2; expected at most 1",
        ),
        (
            "policies: {p: {rules: [{name: a, when: paragraph, hints: [general], choose: weighted}]}}",
            "one weight for each",
        ),
        ("policies: {p: {rules: [{name: a, when: paragraph, hints: [general], cap: -1}]}}", "cap -1"),
        ("policies: {p: {by_kind: {math: q}}}", "not a policy with rules"),
        ("functions: {general: {purpose: x, en: []}}", "at least 1 item"),
        ("fence: 'code:'", "expected it to start with a newline"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_library(file)
    assert message in str(caught.value) and "bad.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_lint_finds_what_is_unwise(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(
        "functions:\n  general: {purpose: x, en: ['Wait, use code.', 'Try it.', 'try it.', '```python', 'a </think> b']}\n  unused: {purpose: y, en: ['z']}\n"
        "policies:\n  p: {rules: [{name: a, when: regex, pattern: 'by hand', hints: [general], probability: 0}]}\n"
    )
    findings = "\n".join(lint_library(load_library(file)))
    for part in (
        "no policy uses it",
        "begins with a trigger word",
        "begins with a capital",
        "the same words",
        "holds a fence",
        "control string",
        "never fire",
        "does not end with $",
    ):
        assert part in findings


def test_the_command(tmp_path: Path, run_cli) -> None:  # type: ignore[no-untyped-def]
    good = run_cli("hints", "lint")
    assert good.exit_code == 0 and "0 findings" in good.stdout
    file = tmp_path / "bad.yaml"
    file.write_text("functions: 3")
    assert run_cli("hints", "lint", file).exit_code == 2
    shown = run_cli("hints", "show", "--language", "zh")
    assert shown.exit_code == 0 and "policy auto" in shown.stdout


def test_later_policies_leave_the_digests_of_older_runs_alone() -> None:
    library = load_library()

    def digest(policy: str) -> str:
        return hashlib.sha256(library.content(policy).encode()).hexdigest()[:16]

    # What runs of the first version have in their records, whatever their policy.
    assert {digest(name) for name, policy in library.policies.items() if policy.since == 1} == {"48981bbed7a92f8e"}
    later = [name for name, policy in library.policies.items() if policy.since > 1]
    assert {"turn", "before_conclusion", "before_box", "each_paragraph"} <= set(later)
    assert len({digest(name) for name in later}) == len(later)
    assert "turn_code" in library.content("turn") and "turn_code" not in library.content("before_box")


def test_only_a_regex_may_stand_before_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "policies: {mine: {rules: [{name: a, when: paragraph, before_line: true, hints: [general]}]}}", "utf-8"
    )
    with pytest.raises(ConfigError, match="before_line, which needs 'when: regex'"):
        load_library(file)
