"""When spans are sent, and that no collector ever costs a message."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from shared.adapters.otlp_collector import Sent
from shared.adapters.span_telemetry import PATIENCE, SpanTelemetry
from shared.adapters.spans import Source, SpanBuilder
from shared.runtime.stage_table import read_stages
from shared.testing.memory import RecordingTelemetry
from tests.unit.adapters.test_spans import REPORT

AWAY = Sent("no answer", again=True)
MOST = 32  # threads for functions that a loop has, on any machine


class Collector:
    """Keeps what it takes. `answers` come first, one an export; held back while `open` is unset."""

    host = "collector.example"

    def __init__(self, *answers: Sent | Exception) -> None:
        self.answers = list(answers)
        self.exports: list[list[str]] = []
        self.asked = 0
        self.open = threading.Event()
        self.open.set()
        self.busy = threading.Event()

    def send(self, spans: Sequence[ReadableSpan]) -> Sent:
        self.asked += 1
        self.busy.set()
        assert self.open.wait(30)
        answer = self.answers.pop(0) if self.answers else Sent()
        if isinstance(answer, Exception):
            raise answer
        if answer.problem is None:
            self.exports.append([span.name.split()[1] for span in spans])
        return answer

    @property
    def taken(self) -> list[str]:
        return [name for export in self.exports for name in export]


class Scene:
    """A telemetry with its neighbours, and a clock that moves when it is told to."""

    def __init__(self, collector: Collector, *, patience: float = 30.0) -> None:
        self.now = 1000.0
        self.inner = RecordingTelemetry()
        self.collector = collector
        self.telemetry = SpanTelemetry(
            self.inner,
            SpanBuilder(Source("segue-generate", "p")),
            collector,
            patience=patience,
            clock=lambda: self.now,
        )

    def report(self, *names: str) -> None:
        for name in names:
            self.telemetry.report(replace(REPORT, labels={"flow": name}, calls=()))

    async def handle(self, *names: str) -> None:
        self.report(*names)
        await self.telemetry.flush()

    @property
    def warnings(self) -> list[str]:
        return [message for severity, message, _ in self.inner.lines if severity == "WARNING"]


async def held_by(collector: Collector) -> None:
    """Returns when an export has begun."""
    assert await asyncio.to_thread(collector.busy.wait, 30)
    collector.busy.clear()


async def test_everything_is_passed_on() -> None:
    scene = Scene(Collector())
    scene.report("a")
    scene.telemetry.log("INFO", "said", trace_id="t", stage="s")
    assert [report.labels["flow"] for report in scene.inner.reports] == ["a"]
    [(severity, message, fields)] = scene.inner.lines
    assert (severity, message, fields["trace_id"], fields["stage"]) == ("INFO", "said", "t", "s")


async def test_an_attempt_that_no_span_can_be_made_of_is_told_of_all_the_same() -> None:
    scene = Scene(Collector())
    for _ in range(2):
        scene.telemetry.report(replace(REPORT, trace_id="none"))
    await scene.handle("a")
    assert [report.labels["flow"] for report in scene.inner.reports][-1] == "a"
    assert len(scene.inner.reports) == 3
    assert scene.collector.taken == ["a"]
    assert scene.warnings[0].startswith("no span was made of an attempt: ValueError")


async def test_what_was_reported_is_out_when_the_flush_returns_and_only_once() -> None:
    scene = Scene(Collector())
    await scene.handle("a", "b")
    assert scene.collector.exports == [["a", "b"]]
    await scene.telemetry.flush()
    assert scene.collector.asked == 1
    assert scene.inner.lines == []


async def test_requests_at_once_neither_lose_nor_double_a_span() -> None:
    scene = Scene(Collector())
    scene.collector.open.clear()
    first = asyncio.create_task(scene.handle("a"))
    await held_by(scene.collector)
    others = [asyncio.create_task(scene.handle(f"b{n}")) for n in range(20)]
    await asyncio.sleep(0)
    scene.collector.open.set()
    await asyncio.gather(first, *others)
    assert scene.collector.exports == [["a"], [f"b{n}" for n in range(20)]]


async def test_many_requests_in_turns_neither_lose_nor_double_a_span() -> None:
    scene = Scene(Collector())
    await asyncio.gather(*(scene.handle(f"{n}") for n in range(200)))
    scene.report("last")
    await asyncio.gather(*(scene.telemetry.flush() for _ in range(5)))
    assert sorted(scene.collector.taken) == sorted([*map(str, range(200)), "last"])


async def test_a_collector_that_never_answers_does_not_hold_a_message() -> None:
    scene = Scene(Collector(), patience=0.01)
    scene.collector.open.clear()
    await scene.handle("a")
    assert scene.warnings == [
        "spans were not exported to collector.example: no answer in time; 0 spans are lost"
    ]
    await scene.handle("b")  # does not even ask
    assert scene.collector.asked == 1
    sending = scene.telemetry._sending
    assert sending is not None
    scene.collector.open.set()
    await sending
    await scene.telemetry.flush()
    assert scene.collector.taken == ["a", "b"]


async def test_an_export_does_not_queue_behind_functions_of_flows() -> None:
    scene, over = Scene(Collector(), patience=5), threading.Event()
    functions = [asyncio.create_task(asyncio.to_thread(over.wait, 30)) for _ in range(MOST + 1)]
    await asyncio.sleep(0)
    await scene.handle("a")
    taken = scene.collector.taken
    over.set()
    await asyncio.gather(*functions)
    assert taken == ["a"]


async def test_spans_are_kept_for_a_collector_that_is_away() -> None:
    scene = Scene(Collector(AWAY, AWAY))
    await scene.handle("a")
    await scene.handle("b")
    assert (scene.collector.asked, scene.telemetry._sending) == (1, None)
    scene.now += 10
    await scene.handle("c")
    scene.now += 10
    await scene.handle("d")
    assert scene.collector.exports == [["a", "b", "c", "d"]]
    assert scene.warnings == [
        "spans were not exported to collector.example: no answer; 0 spans are lost"
    ]


async def test_spans_that_are_refused_are_not_sent_again() -> None:
    scene = Scene(Collector(Sent("it answered 400", lost=2)))
    await scene.handle("a", "b")
    scene.now += 10
    await scene.handle("c")
    assert scene.collector.exports == [["c"]]
    [warning] = scene.warnings
    assert "it answered 400; 2 spans are lost" in warning


async def test_what_is_kept_is_bounded_and_what_is_lost_is_told() -> None:
    scene = Scene(Collector(AWAY))
    await scene.handle("a", "b")
    scene.report(*(f"n{n}" for n in range(1003)))
    scene.now += 10
    await scene.telemetry.flush()
    assert scene.collector.exports == [[f"n{n}" for n in range(3, 1003)]]
    assert scene.warnings[-1] == "collector.example takes spans again; 5 spans are lost"
    assert scene.inner.lines[-1][2]["spans_lost"] == 5


async def test_a_failure_puts_older_spans_before_newer_ones() -> None:
    scene = Scene(Collector(AWAY))
    scene.collector.open.clear()
    first = asyncio.create_task(scene.handle("a"))
    await held_by(scene.collector)
    scene.report("b")
    scene.collector.open.set()
    await first
    scene.now += 10
    await scene.telemetry.flush()
    assert scene.collector.exports == [["a", "b"]]


async def test_a_warning_a_minute_is_enough() -> None:
    scene = Scene(Collector(*[AWAY] * 7))
    for _ in range(7):
        await scene.handle("a")
        scene.now += 10
    assert scene.collector.asked == 7
    assert len(scene.warnings) == 2


async def test_a_defect_of_the_exporter_is_a_warning_too() -> None:
    scene = Scene(Collector(ValueError("a secret in the words")))
    await scene.handle("a")
    [warning] = scene.warnings
    assert "ValueError" in warning
    assert "secret" not in warning


@pytest.mark.parametrize("stage", sorted(read_stages().stages))
def test_an_export_fits_between_a_stages_budget_and_its_timeout(stage: str) -> None:
    row = read_stages().stages[stage]
    assert row.budget + 2 * PATIENCE < row.timeout
