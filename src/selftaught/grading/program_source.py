"""Which of a response's blocks is the program that is asked for.

Responses hold more blocks than the program: drafts, examples of its use, samples of its output, calls of a tool. A block is a
*candidate* when its language is Python, or when it has none and holds real statements. Of the candidates, the last counts that

- defines the entry point, where the problem names one (a function, or a method of ``Solution``);
- or else, for standard input, is a whole program: it does something when it is run, and reads its input if any block does.

A block that uses or imports names which only an earlier block defines is an example of the earlier one's use. A block that
does not parse is judged by its text, so that a broken last program is graded, and fails, as its author gave it. Nothing is
joined or repaired. Time and memory are linear in the text.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from selftaught.grading.prelude import prelude_names
from selftaught.tokens import fences

MAX_PARSED_CHARS = 200_000
"""A longer block is judged by its text alone: a syntax tree takes a hundred times the memory of its text."""

_FILE_NAME = "<response>"
warnings.filterwarnings("ignore", category=SyntaxWarning, module=re.escape(_FILE_NAME))
warnings.filterwarnings("ignore", category=DeprecationWarning, module=re.escape(_FILE_NAME))

_THINK_CLOSE = "</think>"
_BYTE_ORDER_MARK = "\ufeff"
_READS = re.compile(r"\b(?:raw_)?input\s*\(|\bstdin\b|\b(?:open|read)\s*\(\s*0|\bfileinput\b")
_BRINGS_INPUT = re.compile(
    r"\bsys\.stdin\s*=\s*(?:io\.)?StringIO\((?![^)\n]*read)|\bpatch\(\s*[\"'](?:sys\.stdin|builtins\.input)"
)
_TRANSCRIPT = re.compile(r"\s*(?:>>>|In \[\d+\]:)")
_NEVER = frozenset({"output", "stdout", "result", "tool", "tool_call", "tool_code", "tool_output"})
_MODULE_NAMES = frozenset({"__file__", "__name__", "__builtins__", "__doc__", "__annotations__"})


@dataclass(frozen=True)
class _Facts:
    """What a block is, by its syntax tree or, where it has none, by its text."""

    parses: bool
    is_real: bool
    """It holds a call, a definition or an import, not only values (a sample of output may well parse)."""
    acts: bool
    """It does something when it is run, beside binding names."""
    defines: frozenset[str]
    """Names that its top level binds, and ``Class.method`` for each method; ``Class.*`` for a class with bases."""
    imports: frozenset[str]
    misses: frozenset[str]
    """Names that it uses and that neither it nor Python nor the prelude binds."""


@dataclass(frozen=True)
class _Candidate:
    """A block that may be the program."""

    code: str
    facts: _Facts
    is_example: bool
    """It uses what an earlier block defines."""

    def defines(self, name: str) -> bool:
        """Whether it binds the entry point ``name``."""
        if self.facts.parses:
            return not self.facts.defines.isdisjoint({name, f"Solution.{name}", "Solution.*"})
        defined = rf"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+{re.escape(name)}\b"
        return re.search(defined, self.code, re.MULTILINE) is not None

    @property
    def reads(self) -> bool:
        """Whether it reads standard input, and does not bring its own."""
        return _READS.search(self.code) is not None and _BRINGS_INPUT.search(self.code) is None


def program_source(text: str, entry_point: str | None = None) -> str | None:
    """Source of the program that a final text gives; None when it has no block that could be one."""
    candidates = _candidates(text)
    if not candidates:
        return None
    if entry_point is None:
        any_reads = any(one.reads for one in candidates)
        ranks = [2 * (one.facts.acts and not one.is_example) + (one.reads or not any_reads) for one in candidates]
    else:
        ranks = [
            2 * one.defines(entry_point) + (not one.is_example) + (entry_point in one.facts.imports)
            for one in candidates
        ]
    last = max(range(len(ranks)), key=lambda index: (ranks[index], index))
    return candidates[last].code


def bare_program(text: str, entry_point: str | None = None) -> str:
    """A program that is given as such, or the one inside it where ``text`` is a response around it."""
    if "```" not in text and "~~~" not in text or _tree(text) is not None:
        return text
    found = program_source(text.removeprefix(_BYTE_ORDER_MARK).rpartition(_THINK_CLOSE)[2], entry_point)
    return text if found is None else found


def _candidates(text: str) -> list[_Candidate]:
    """Blocks that may be the program, the best kind that there is: whole Python ones, of another language, unfinished ones."""
    begins_inside, text = _opened_before(text)
    kinds: tuple[list[_Candidate], ...] = ([], [], [])
    defined: set[str] = set()
    for block in fences.blocks(text, opened="python" if begins_inside else None):
        if block.language in _NEVER or _TRANSCRIPT.match(block.code) or not block.code.strip():
            continue
        facts = _facts(block.code)
        is_program = facts.parses and facts.is_real and not facts.misses
        if block.closed_by is None and not facts.parses:
            kind = 2  # cut off in the middle
        elif block.is_python or (is_program and not block.language):
            kind = 0
        elif is_program:
            kind = 1
        else:
            kind = 2
        if kind == 2 and block.language and not block.is_python:
            continue
        example = not (facts.misses | facts.imports).isdisjoint(defined)
        kinds[kind].append(_Candidate(block.code, facts, example))
        defined |= facts.defines
    return next((found for found in kinds if found), [])


def _opened_before(text: str) -> tuple[bool, str]:
    """Whether the text begins inside a block, and the text: the prompt had opened it, and the first fence only closes it."""
    first = fences.first_fence(text)
    if first is None or first[1]:
        return False, text
    first_line, _, rest = text.partition("\n")
    if first_line.strip().lower() in fences.PYTHON and first[0] > len(first_line):
        text, head = rest, text[len(first_line) + 1 : first[0]]
    else:
        head = text[: first[0]]
    facts = _facts(head)
    return facts.parses and facts.is_real, text


# ------------------------------------------------------------------------------------------------------- syntax trees


def _tree(source: str) -> ast.Module | None:
    if len(source) > MAX_PARSED_CHARS:
        return None
    try:
        tree = compile(source, _FILE_NAME, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if isinstance(tree, ast.Module) else None


def _facts(source: str) -> _Facts:
    tree = _tree(source)
    if tree is None:
        return _Facts(False, True, "(" in source, frozenset(), frozenset(), frozenset())
    nodes = list(ast.walk(tree))
    real = (ast.Call, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    bound, used = _names(nodes)
    defines, imports = _defined(tree)
    return _Facts(
        parses=True,
        is_real=any(isinstance(node, real) for node in nodes),
        acts=any(_acts(statement) for statement in tree.body),
        defines=frozenset(defines),
        imports=frozenset(imports),
        misses=frozenset() if "*" in bound else frozenset(used - bound - _known_names()),
    )


@lru_cache(maxsize=1)
def _known_names() -> frozenset[str]:
    """What a program may use without binding it."""
    return frozenset(dir(builtins)) | prelude_names() | _MODULE_NAMES


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement of the top level does something that can be seen."""
    if isinstance(
        statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass
    ):
        return False
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(statement))


def _names(nodes: list[ast.AST]) -> tuple[set[str], set[str]]:
    """Names that are bound anywhere, and names that are used; ``*`` among the bound ones is a star import."""
    bound: set[str] = set()
    used: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            bound.add(node.rest)
    return bound, used


def _defined(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names that the top level defines and imports, also inside ``if``, ``try`` and ``with``; methods as ``Class.method``."""
    found: set[str] = set()
    imported: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(statement.name)
        elif isinstance(statement, ast.ClassDef):
            found.add(statement.name)
            found |= {f"{statement.name}.{member}" for member in _members(statement)}
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            imported |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            found |= _stored(statement)
        else:
            for part in ("body", "orelse", "finalbody"):
                waiting.extend(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                waiting.extend(handler.body)
    return found, imported


def _members(class_: ast.ClassDef) -> set[str]:
    """Names of a class's methods and attributes; ``*`` where it may inherit more."""
    found = {"*"} if class_.bases else set()
    for statement in class_.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            found |= _stored(statement)
    return found


def _stored(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    nodes = (node for target in targets for node in ast.walk(target))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
