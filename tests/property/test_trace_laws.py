"""Whatever a line of the log holds, the story is told and drawn."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from shared.cli.traces import entry_of, skew_ms, story
from shared.cli.waterfall import waterfall

_LOGGING = "logging.googleapis.com/"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["runs", "code", "run_id", "correlation_id"]), SCALARS)
    | st.sampled_from([10**400, "0001-01-01T00:00:00+14:00", "2026-01-01", [[]], {"runs": [{}]}])
)
MOMENTS = st.sampled_from(
    ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01"]
)
FIELDS = st.sampled_from(
    [
        "kind",
        "started_at",
        "disposition",
        "stage",
        "outcome",
        "duration_ms",
        "delivery_attempt",
        "error",
        "details",
        "parent_span_id",
        "cost_usd",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        f"{_LOGGING}labels",
        f"{_LOGGING}trace",
        f"{_LOGGING}spanId",
    ]
)
ATTEMPT = {"kind": "stage_attempt", "disposition": "ack"}
LABELS = {"correlation_id": "c"}
LINES = st.builds(
    lambda moment, strange: {
        **ATTEMPT,
        "started_at": moment,
        f"{_LOGGING}labels": LABELS,
        **strange,
    },
    MOMENTS,
    st.dictionaries(FIELDS, ANYTHING, max_size=4),
)


@settings(max_examples=100)
@given(st.lists(LINES, max_size=4))
def test_any_lines_can_be_told_and_drawn(lines: list[dict[str, Any]]) -> None:
    read = [entry_of(json.dumps(line).encode()) for line in lines]
    entries = [entry for entry in read if entry is not None]
    for shown in (entries, story(entries, "c")):
        console = Console(width=200, color_system=None)
        with console.capture() as capture:
            console.print(waterfall(shown))
        assert capture.get().count("\n") >= len(shown)
        assert skew_ms(shown) >= 0
        assert json.dumps([entry.public() for entry in shown])
