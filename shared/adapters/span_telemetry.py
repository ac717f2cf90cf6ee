"""Telemetry that also tells an OpenTelemetry collector: one span for each report and model call.

Decides when spans are sent, how long a message waits for it, and what becomes of spans that the
collector does not take. Knows neither their content nor the wire.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from opentelemetry.sdk.trace import ReadableSpan

from shared.adapters.otlp_collector import OtlpCollector, Sent
from shared.adapters.spans import Source, SpanBuilder
from shared.ports import StageReport, Telemetry

PATIENCE = 2.0  # seconds that an export may take
_KEPT = 1000  # spans, about a megabyte
_REST = 10.0  # seconds without another try, once one has failed
_SILENCE = 60.0  # seconds between two warnings


class Collector(Protocol):
    """Where spans go. `send` blocks, and is called by one thread at a time."""

    @property
    def host(self) -> str: ...

    def send(self, spans: Sequence[ReadableSpan]) -> Sent: ...


class SpanTelemetry:
    """Implements `Telemetry` around another one, which is told everything as well.

    Bound to the event loop that flushes it.
    """

    def __init__(
        self,
        inner: Telemetry,
        builder: SpanBuilder,
        collector: Collector,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._builder = builder
        self._collector = collector
        self._patience = patience
        self._clock = clock
        # Its own: an export must not queue behind the functions of flows, which may take minutes.
        self._thread = ThreadPoolExecutor(1, "spans")
        self._waiting: deque[ReadableSpan] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._lost = 0  # spans, since it was last told
        self._rests_until = self._silent_until = float("-inf")

    def report(self, report: StageReport) -> None:
        self._inner.report(report)
        try:
            self._keep(self._builder.spans_of(report))
        except Exception as error:  # noqa: BLE001 - spans are no reason to fail a message
            self._lost += 1
            self._complain(f"no span was made of an attempt: {type(error).__name__}")

    def log(
        self, severity: str, message: str, *, trace_id: str | None = None, **fields: Any
    ) -> None:
        self._inner.log(severity, message, trace_id=trace_id, **fields)

    async def flush(self) -> None:
        """Returns when the spans reported so far are out, after twice PATIENCE at the latest.

        Spans that another request's flush has taken go out before that request is answered. While
        the collector is away they are kept, up to a bound, and go with a later flush; one request
        in ten seconds finds out whether it is back, the others do not wait.
        """
        await self._inner.flush()
        if self._sending is not None:  # it may have left before ours were reported
            await self._patiently(self._sending)
        if self._sending is None and self._waiting and self._clock() >= self._rests_until:
            self._sending = asyncio.create_task(self._send())
        if self._sending is not None:
            await self._patiently(self._sending)

    async def _patiently(self, sending: asyncio.Task[None]) -> None:
        """Waits for an export, but not for one that has been given up already."""
        if self._clock() < self._rests_until:
            return
        done, _ = await asyncio.wait({sending}, timeout=self._patience)
        if not done:
            self._rest("no answer in time")

    async def _send(self) -> None:
        """One export at a time: what gathers meanwhile goes together with the next one."""
        batch = list(self._waiting)
        self._waiting.clear()
        try:
            loop = asyncio.get_running_loop()
            sent = await loop.run_in_executor(self._thread, self._collector.send, batch)
        except Exception as error:  # noqa: BLE001 - spans are no reason to fail a message
            sent = Sent(type(error).__name__, again=True)
        finally:
            self._sending = None
        self._settle(batch, sent)

    def _settle(self, batch: list[ReadableSpan], sent: Sent) -> None:
        if sent.problem is None:
            self._rests_until = float("-inf")
            if self._lost:
                self._warn(f"{self._collector.host} takes spans again")
            return
        if sent.again:
            newer = list(self._waiting)
            self._waiting.clear()
            self._keep([*batch, *newer])
        else:
            self._lost += sent.lost
        self._rest(sent.problem)

    def _keep(self, spans: Sequence[ReadableSpan]) -> None:
        """The oldest make room for the newest."""
        self._waiting.extend(spans)
        while len(self._waiting) > _KEPT:
            self._waiting.popleft()
            self._lost += 1

    def _rest(self, problem: str) -> None:
        self._rests_until = self._clock() + _REST
        self._complain(f"spans were not exported to {self._collector.host}: {problem}")

    def _complain(self, what: str) -> None:
        """Warns, but not more often than once a minute."""
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + _SILENCE
            self._warn(what)

    def _warn(self, what: str) -> None:
        lost, self._lost = self._lost, 0
        self._inner.log("WARNING", f"{what}; {lost} spans are lost", spans_lost=lost)


def build_span_telemetry(
    inner: Telemetry, source: Source, endpoint: str, share: float
) -> SpanTelemetry:
    """Sends `share` of all traces to the collector at `endpoint`."""
    collector = OtlpCollector(endpoint, seconds=PATIENCE)
    return SpanTelemetry(inner, SpanBuilder(source, share=share), collector)
