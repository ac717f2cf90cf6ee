"""`prompts test`: whether prompts do what their cases say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from shared.cli.commands.flows import sound_library
from shared.cli.options import AsJson
from shared.cli.output import complain, counted, print_json, safe, say
from shared.cli.registry import named
from shared.cli.world import connect_model
from shared.domain.version import PromptVersion
from shared.errors import NotFoundError
from shared.ports import Model
from shared.prompting.case_checks import answered, rendered
from shared.prompting.cases import Case, Cases, read_cases
from shared.prompting.library import Library
from shared.runtime.settings import settings


class NoCasesError(NotFoundError):
    """Write some into cases/<prompt>.yaml, beside flows/ and templates/."""


def add_to(prompts: typer.Typer) -> None:
    """Registers the command."""
    prompts.command("test")(try_cases)


def try_cases(
    name: Annotated[str | None, typer.Argument(metavar="[NAME[@LABEL|@N]]")] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the model, too, and look at its answers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check prompts against their cases; exit 1 where one does not do what its case says.

    Without --live nothing is asked: what is rendered is looked at.
    """
    found = sound_library()
    cases = read_cases(settings().prompts, found.prompts)
    results = asyncio.run(_results(name, found, cases, live=live))
    if as_json:
        print_json(results)
    else:
        _say(results)
    for problem in cases.problems:
        complain(f"[bold]{safe(problem.file)}:{problem.line}[/]: {safe(problem.message)}")
    if cases.problems or not all(result["passed"] for result in results):
        raise typer.Exit(1)


async def _results(
    name: str | None, found: Library, cases: Cases, *, live: bool
) -> list[dict[str, Any]]:
    chosen = [await named(name, found)] if name is not None else list(found.prompts.values())
    if name is not None and chosen[0].name not in cases.of and not cases.problems:
        raise NoCasesError(f"prompt {chosen[0].name!r} has no cases")
    model = connect_model() if live else None
    return [
        await _result(prompt, case, model, found)
        for prompt in chosen
        for case in cases.of.get(prompt.name, ())
    ]


async def _result(
    prompt: PromptVersion, case: Case, model: Model | None, found: Library
) -> dict[str, Any]:
    request, problems = rendered(prompt, case)
    is_asked = model is not None and request is not None and case.answer is not None
    if is_asked and not problems:
        assert model is not None
        assert request is not None
        problems = await answered(request, case, model, found.prompts)
    about = {"prompt": prompt.name, "version": prompt.version, "case": case.name}
    return {**about, "asked": is_asked, "passed": not problems, "problems": problems}


def _say(results: Sequence[dict[str, Any]]) -> None:
    for result in results:
        mark = "[green]✓[/]" if result["passed"] else "[bold red]✗[/]"
        asked = "  [dim]asked[/]" if result["asked"] else ""
        say(f"{mark} {safe(result['prompt'])}: {safe(result['case'])}{asked}")
        for problem in result["problems"]:
            say(f"    [red]{safe(problem)}[/]")
    failed = sum(not result["passed"] for result in results)
    style = "red" if failed else "green"
    say(f"[{style}]{failed} failed[/] of {counted(len(results), 'case')}")
