"""The runbook agrees with the deployment: its tables, its commands, its links and its counts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from shared.cli.app import app
from shared.runtime.settings import ROOT
from tests.functional.test_shipped_flows import TICKET, support
from tests.infra.test_operations import anchors, written

INFRA = ROOT / "infra"
RUNBOOK = (INFRA / "README.md").read_text("utf-8")
PROSE = re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL)


def blocks(kind: str, file: str) -> dict[str, str]:
    """Name -> body of the top-level blocks of a kind, in the order of the file."""
    text = (INFRA / file).read_text("utf-8")
    found = re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, flags=re.MULTILINE | re.DOTALL)
    return dict(found)


def table(heading: str) -> dict[str, list[str]]:
    """First cell, without its quotes -> the others, of the first table below a heading."""
    below = re.split(rf"^## {heading}$", RUNBOOK, flags=re.MULTILINE)[1]
    rows = re.search(r"(?:^\|.*\n)+", below, flags=re.MULTILINE)
    assert rows is not None
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[0].splitlines()]
    return {first.strip("`"): others for first, *others in cells[2:]}


def test_the_table_of_variables_is_that_of_the_deployment() -> None:
    defaults = {}
    for name, body in blocks("variable", "variables.tf").items():
        default = re.search(r"^  default\s*=\s*(.+)$", body, flags=re.MULTILINE)
        defaults[name] = f"`{default[1]}`" if default else ""
    assert {name: cells[0] for name, cells in table("Variables").items()} == defaults


def test_the_table_of_outputs_is_that_of_the_deployment() -> None:
    assert list(table("Outputs")) == list(blocks("output", "outputs.tf"))


def test_variables_and_outputs_are_in_order_and_described() -> None:
    for kind, file in (("variable", "variables.tf"), ("output", "outputs.tf")):
        found = blocks(kind, file)
        assert list(found) == sorted(found)
        assert all("description" in body for body in found.values())


def test_thresholds_in_the_runbook_are_the_defaults() -> None:
    text = (INFRA / "modules/operations/definitions/variables.tf").read_text("utf-8")
    defaults = dict(
        re.findall(r"^    (\w+)\s*=\s*optional\(number, ([\d.]+)\)", text, re.MULTILINE)
    )
    told = dict(re.findall(r"`(\w+)` = ([\d.]+ ?%?)", PROSE))
    assert told.keys() == defaults.keys()
    for name, said in told.items():
        value = float(said.rstrip("% ")) / (100 if "%" in said else 1)
        assert value == float(defaults[name]), name


def test_every_link_in_the_runbook_leads_somewhere() -> None:
    sections = anchors(re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL))
    for target in re.findall(r"\]\(([^)]+)\)", PROSE):
        if target.startswith("#"):
            assert target[1:] in sections, target
        elif not target.startswith("https://"):
            assert (INFRA / target).exists(), target


def commands() -> Iterator[str]:
    """Every `segue` command in the runbook, in a block or in the text."""
    yield from re.findall(r"^\$ (segue .+)$", RUNBOOK, flags=re.MULTILINE)
    yield from re.findall(r"`(segue [^`]+)`", PROSE)


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_in_the_runbook_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not (hasattr(command, "commands") and words), f"there is no {words[0]!r}"
    named = {name for option in command.params for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= named


async def test_a_run_of_the_sample_flow_costs_what_the_estimate_says() -> None:
    system = support()
    await system.start(TICKET, "support.ticket.created")  # an instance has served the flow before
    world = system.world
    before = len(world.messages.published)
    world.documents.reset_counts()
    world.telemetry.reports.clear()
    world.telemetry.lines.clear()
    await system.start({**TICKET, "id": "T-18"}, "support.ticket.created")
    assert {name: int(cells[0]) for name, cells in table("Cost estimate").items()} == {
        "messages": len(world.messages.published) - before,
        "document writes": world.documents.writes.total(),
        "document reads": world.documents.reads.total(),
        "documents kept": len({path for path in world.documents.writes if path[:7] != "tickets"}),
        "log lines": len(written(system)),
    }


def test_the_arithmetic_of_the_estimate_is_right() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([^|]*[\u00d7/][^|]*) \| ([\d.]+) \|$", RUNBOOK, re.MULTILINE)
    assert len(rows) == 9
    for arithmetic, said in rows:
        plain = re.sub(
            r"(?<=\d),(?=\d{3})", "", arithmetic.replace("\u00d7", "*").replace("^", "**")
        )
        plain = re.sub(r"\b(GiB s|B|s)\b", "", plain)
        assert re.fullmatch(r"[\d. ()*/+]+", plain), plain
        assert round(eval(plain), 2) == float(said), arithmetic
    together = re.search(r"\*\*together\*\* \| +\| \*\*([\d.]+)\*\*", RUNBOOK)
    assert together is not None
    assert float(together[1]) == pytest.approx(sum(float(said) for _, said in rows))
