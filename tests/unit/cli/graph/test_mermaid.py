"""Mermaid text: exactly this for a flow and a run, and no name or condition can break it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.cli.graph.mermaid import mermaid_of
from shared.cli.graph.progress import with_run
from shared.cli.graph.reading import graph_of
from shared.domain.version import FlowVersion

Reports = Callable[..., dict[str, Any]]
Flows = Callable[..., FlowVersion]


def test_a_flow_is_a_flowchart(branching: FlowVersion) -> None:
    assert (
        mermaid_of(graph_of(branching))
        == f"""\
%% flow f, version {branching.version}
flowchart TD
  start_(["order.placed<br/>event<br/>timeout 10m"])
  step_check["check<br/>action log.write"]
  step_pay["pay<br/>action log.write<br/>timeout 90s"]
  step_fix["fix<br/>action log.write"]
  step_gift["gift<br/>action log.write<br/>when event.data.total #62; 100"]
  step_tell["tell<br/>action log.write<br/>join 1 of 3<br/>finish"]
  step_rest["rest<br/>action log.write<br/>on error continue"]
  end_(["outputs<br/>paid {{{{ pay }}}}"])
  start_ --> step_check
  step_check --> step_pay
  step_check --> step_gift
  step_pay --> step_tell
  step_fix --> step_tell
  step_gift --> step_tell
  step_tell --> step_rest
  step_pay -. on error .-> step_fix
  step_tell -- early end --> end_
  step_rest --> end_
"""
    )


def test_a_run_gives_its_nodes_looks(flows: Flows, reports: Reports) -> None:
    version = flows({"a": {}, "b": {"needs": "a", "when": "false"}})
    report = reports(version, {"a": "succeeded", "b": "skipped"}, "succeeded")
    lines = mermaid_of(with_run(graph_of(version), report)).splitlines()
    assert lines[1] == "%% run f-1, succeeded, 2026-01-01 08:00:00 UTC, 2.0 s"
    assert '  step_b["b<br/>action log.write<br/>when false<br/>- skipped"]' in lines
    assert "  class step_a,end_ succeeded" in lines
    assert "  class step_b idle" in lines
    assert lines[-1] == "  linkStyle 1,2 stroke:#cbd5e1"


def test_nothing_from_outside_ends_a_label_or_becomes_markup(flows: Flows) -> None:
    condition = "event.x == '\"]\n%%{init: 1}%% <b>`#quot; &amp; _a_ *b*'"
    text = mermaid_of(graph_of(flows({"end": {"when": condition}})))
    [line] = [line for line in text.splitlines() if line.startswith("  step_end[")]
    label = line.removeprefix('  step_end["').removesuffix('"]').replace("<br/>", "")
    assert not set('"<>`&%*_\n') & set(label)
    assert "#34;] #37;#37;{init: 1}" in label
