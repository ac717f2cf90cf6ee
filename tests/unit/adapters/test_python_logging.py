"""Records of Python's logging as log lines: which are written, and what of each."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.auth import _helpers

from shared.adapters.json_telemetry import JsonTelemetry
from shared.adapters.python_logging import TelemetryHandler, severity_of, take_over
from shared.domain.origin import Origin, in_hand
from shared.ports import Telemetry
from shared.testing.memory import RecordingTelemetry

Take = Callable[..., RecordingTelemetry]


@pytest.fixture
def take() -> Iterator[Take]:
    """Takes over; afterwards logging is as it was."""
    root = logging.getLogger()
    loggers = [root, *(each for each in root.manager.loggerDict.values() if _is_logger(each))]
    before = [
        (each, each.level, each.propagate, each.disabled, each.handlers[:]) for each in loggers
    ]

    def take(level: str = "INFO") -> RecordingTelemetry:
        telemetry = RecordingTelemetry()
        take_over(telemetry, level)
        return telemetry

    yield take
    for each, level, propagate, disabled, handlers in before:
        each.setLevel(level)
        each.propagate, each.disabled, each.handlers = propagate, disabled, handlers


def _is_logger(found: Any) -> bool:
    return isinstance(found, logging.Logger)


def alone(telemetry: Telemetry) -> logging.Logger:
    """A logger that pytest's own handlers do not listen to."""
    logger = logging.getLogger("alone")
    logger.propagate, logger.handlers = False, [TelemetryHandler(telemetry)]
    return logger


def said(telemetry: RecordingTelemetry) -> list[tuple[str, str]]:
    return [(severity, message) for severity, message, _ in telemetry.lines]


def test_a_record_is_a_line_of_the_message_in_hand(take: Take) -> None:
    telemetry = take()
    with in_hand(lambda: Origin({"step": "a"}, "t" * 32)):
        logging.getLogger("functions.act.calls.mine").info("paid %d", 5, extra={"order": 7})
    assert telemetry.lines == [
        (
            "INFO",
            "paid 5",
            {
                "trace_id": "t" * 32,
                "labels": {"step": "a"},
                "logger": "functions.act.calls.mine",
                "fields": {"order": 7},
            },
        )
    ]


def test_strangers_are_heard_from_warning_up(take: Take) -> None:
    telemetry = take()
    for name in ("httpx", "google.auth", "some.library"):
        logging.getLogger(name).info("POST https://host/?key=secret")
        logging.getLogger(name).warning("%s warns", name)
    logging.getLogger("shared.x").info("ours")
    assert said(telemetry) == [
        ("WARNING", "httpx warns"),
        ("WARNING", "google.auth warns"),
        ("WARNING", "some.library warns"),
        ("INFO", "ours"),
    ]


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"], ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"], ["ERROR"]),
    ],
)
def test_the_level_is_that_of_our_own_packages(
    take: Take, level: str, ours: list[str], theirs: list[str]
) -> None:
    telemetry = take(level)
    for name in ("functions.a", "library"):
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(number, name)
    found = said(telemetry)
    assert [severity for severity, name in found if name == "functions.a"] == ours
    assert [severity for severity, name in found if name == "library"] == theirs


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (5, "DEBUG"),
        (10, "DEBUG"),
        (20, "INFO"),
        (25, "INFO"),
        (30, "WARNING"),
        (40, "ERROR"),
        (50, "CRITICAL"),
        (99, "CRITICAL"),
    ],
)
def test_a_level_has_the_severity_of_the_next_lower_name(level: int, severity: str) -> None:
    assert severity_of(level) == severity


def test_an_exception_is_where_error_reporting_looks(take: Take) -> None:
    telemetry = take()
    try:
        raise ZeroDivisionError("no")
    except ZeroDivisionError:
        logging.getLogger("functions.a").exception("it failed")
    [(severity, message, fields)] = telemetry.lines
    assert (severity, message) == ("ERROR", "it failed")
    assert fields["stack_trace"].startswith("Traceback")
    assert fields["stack_trace"].endswith("ZeroDivisionError: no\n")
    assert "fields" not in fields


def test_a_wrong_format_string_loses_nothing(capsys: Any) -> None:
    telemetry = RecordingTelemetry()
    alone(telemetry).warning("%d paid", "nobody")
    assert said(telemetry) == [("WARNING", "%d paid ('nobody',)")]
    assert capsys.readouterr().err == ""


class Mute:
    """Cannot even say what it is."""

    def __repr__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(("message", "arguments"), [(Mute(), ()), ("%s", (Mute(),))])
def test_what_has_no_text_does_not_raise(message: object, arguments: tuple[object, ...]) -> None:
    telemetry = RecordingTelemetry()
    alone(telemetry).warning(message, *arguments)
    assert said(telemetry) == [("WARNING", "a record without a text")]


def test_what_has_no_text_beside_a_message_does_not_raise() -> None:
    stream = io.StringIO()
    alone(JsonTelemetry("p", stream)).warning("odd", extra={"value": Mute()})
    assert '"message": "odd"' in stream.getvalue()


def test_a_logger_that_was_put_to_sleep_is_heard(take: Take) -> None:
    sleeper = logging.getLogger("functions.act.calls.asleep")
    sleeper.disabled = True
    telemetry = take()
    sleeper.info("awake")
    assert said(telemetry) == [("INFO", "awake")]


def test_a_servers_own_printing_becomes_lines(take: Take) -> None:
    printed = io.StringIO()
    server, worker = logging.getLogger("a.server"), logging.getLogger("a.server.worker")
    server.addHandler(logging.StreamHandler(printed))
    worker.handlers = server.handlers  # one list, as gunicorn and uvicorn have it
    server.propagate = worker.propagate = False
    telemetry = take()
    server.error("down")
    worker.error("down too")
    assert said(telemetry) == [("ERROR", "down"), ("ERROR", "down too")]
    assert printed.getvalue() == ""


def test_what_google_libraries_warn_of_is_heard(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    """google-auth cuts their logger off with its first request, where nobody configured it."""
    monkeypatch.setattr(_helpers, "_LOGGING_INITIALIZED", False)
    telemetry = take()
    _helpers.is_logging_enabled(logging.getLogger("google.auth.transport"))
    logging.getLogger("google.auth.transport").warning("no quota")
    assert said(telemetry) == [("WARNING", "no quota")]


def test_other_handlers_stay(take: Take) -> None:
    class Collecting(logging.StreamHandler):
        """Somebody's own."""

    kept = Collecting(io.StringIO())
    logger = logging.getLogger("a.collector")
    logger.addHandler(kept)
    logger.propagate = False
    telemetry = take()
    logger.error("mine")
    assert kept.stream.getvalue() == "mine\n"
    assert telemetry.lines == []


def test_taking_over_again_says_nothing_twice(take: Take) -> None:
    telemetry = take()
    take()
    logging.getLogger("functions.a").info("once")
    assert said(telemetry) == [("INFO", "once")]


def test_what_json_cannot_hold_is_a_line_all_the_same() -> None:
    stream = io.StringIO()
    alone(JsonTelemetry("p", stream)).error("odd", extra={"value": object(), "time": "never"})
    assert '"message": "odd"' in stream.getvalue()
