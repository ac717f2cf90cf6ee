"""Records of Python's `logging` as log lines: of functions that flows call, libraries, the server.

Decides which records are written and what of each. Records of strangers count from WARNING up: at
INFO, libraries tell addresses, and there are keys in some.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from shared.ports import Telemetry

OURS = ("functions", "shared")  # packages that a deployed bundle is made of
_SEVERITIES = (
    (logging.CRITICAL, "CRITICAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARNING"),
    (logging.INFO, "INFO"),
)
_KNOWN = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
)


class TelemetryHandler(logging.Handler):
    """Writes each record through `Telemetry`, which adds trace and labels of the message in hand.

    What a record carries in `extra` becomes its `fields`, and an exception its `stack_trace`.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self.telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in _KNOWN}
        about: dict[str, Any] = {"logger": record.name}
        if extra:
            about["fields"] = extra
        if record.exc_info and record.exc_info[0] is not None:
            about["stack_trace"] = "".join(traceback.format_exception(*record.exc_info))
        self.telemetry.log(severity_of(record.levelno), _message(record), **about)


def severity_of(level: int) -> str:
    """Cloud Logging's name for a level, that of the next lower one for levels in between."""
    return next((name for least, name in _SEVERITIES if level >= least), "DEBUG")


def take_over(telemetry: Telemetry, level: str) -> None:
    """From now on every record is a log line, those of our own packages from `level` up.

    Handlers that only print are removed, wherever they are; those of any other kind stay. Loggers
    that the functions framework has disabled are enabled: it configures `logging` once the function
    is imported, and servers do too, so this is for the first request. Repeating it is harmless.
    """
    root = logging.getLogger()
    if not any(isinstance(handler, TelemetryHandler) for handler in root.handlers):
        root.addHandler(TelemetryHandler(telemetry))
    _keep_propagating("google")
    known = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    for logger in known:
        logger.disabled = False
    _stop_printing([root, *known])
    least = logging.getLevelNamesMapping()[level]
    root.setLevel(max(least, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(least)


def _keep_propagating(name: str) -> None:
    """google-auth cuts the logger of all Google libraries off, unless it has a level or a handler:
    https://google-auth.readthedocs.io/en/latest/user-guide.html (logging).
    """
    logger = logging.getLogger(name)
    logger.propagate = True
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def _stop_printing(loggers: Sequence[logging.Logger]) -> None:
    """Loggers of a server may share a list of handlers: all are looked at before one is changed."""
    printing = [(logger, handlers) for logger in loggers if (handlers := _printing(logger))]
    for logger, handlers in printing:
        logger.propagate = True
        for handler in handlers:
            logger.removeHandler(handler)


def _printing(logger: logging.Logger) -> list[logging.Handler]:
    """Its handlers of the plainest kind; subclasses do something of their own."""
    return [each for each in logger.handlers if type(each) is logging.StreamHandler]


def _message(record: logging.LogRecord) -> str:
    """The record's text; where its arguments do not fit, what it was made of."""
    for text in (record.getMessage, lambda: f"{record.msg} {record.args!r}"):
        # Neither a wrong format string nor an object without a text is a reason to fail a message.
        with suppress(Exception):
            return text()
    return "a record without a text"
