"""What a plan shows of the first problem: the prompt, and the hints that may be inserted after it."""

from __future__ import annotations

from pathlib import Path

from selftaught.pipeline.recipe import Recipe
from selftaught.records import Problem, ProblemKind
from selftaught.tokens.folder import model_source


def first_prompt(recipe: Recipe, problem: Problem | None, assumptions: list[str]) -> str:
    """The first problem in the base model's chat template; the plain question where the template is not here."""
    from selftaught.manner import read_manner
    from selftaught.problems import render_question
    from selftaught.tokens.chat import CHATML, ChatTemplate
    from selftaught.tokens.files import ModelFiles

    if problem is None:
        assumptions.append("no problem is here: the prompt is shown with a stand-in question")
        problem = Problem(
            id="stand-in", problem="What is the remainder when 7^2023 is divided by 1000?", kind=ProblemKind.MATH
        )
    folder = Path(model_source(recipe.base_model)) if recipe.base_model == "toy" else Path(recipe.base_model)
    question = render_question(problem, read_manner(folder))
    if (folder / "tokenizer.json").is_file():
        template = ChatTemplate.of(ModelFiles.read(folder))
    else:
        assumptions.append(f"the chat template of {recipe.base_model} is not here: the prompt is shown as ChatML")
        template = ChatTemplate(CHATML, {})
    return template.render([{"role": "user", "content": question}])


def first_hints(recipe: Recipe, problem: Problem | None) -> list[str]:
    """One line a rule of the hinted rollout's policy: where, and the first wording."""
    from selftaught.hints import load_library, split_name
    from selftaught.hints.debug import render_debug

    if recipe.learns_hints:
        learn = recipe.seed_round.learn
        tried = ", ".join(learn.hints) or f"{learn.hints_each} of the paper's, drawn"
        return [f"learned from the probe: at most one, at {', '.join(learn.places)}; tried there: {tried}"]
    path, name = split_name(str(recipe.seed_options.value("hints")))
    library = load_library(path)
    if name not in library.policies:
        return []
    kind = problem.kind if problem else ProblemKind.MATH
    lines = []
    for rule in library.policy(name, kind).rules:
        function = library.functions[rule.hints[0]]
        words = function.paraphrases("en")[0]
        if function.template and problem is not None:
            text = render_debug(problem, library, "en", words)
        else:
            text = rule.lead.get("en") + words + (library.fence if function.opens == "python" else "")
        where = rule.when.value + (f" ({', '.join(rule.words)})" if rule.words else "")
        others = f", or one of {len(rule.hints) - 1} others" if len(rule.hints) > 1 else ""
        lines.append(f"{rule.name}: {where}, {rule.hints[0]}{others}: {text!r}")
    return lines
