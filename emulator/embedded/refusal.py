"""How the engine says no: the gRPC status and the message with which production refuses.

Must not know gRPC: the cores raise it, the server translates it.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """gRPC status codes, by number: https://grpc.io/docs/guides/status-codes/."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class Refusal(Exception):
    """A request cannot be served; `status` and `message` are what the client is told."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> Refusal:
    """The request itself is wrong, whatever is stored."""
    return Refusal(Status.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refusal:
    """What the request names does not exist."""
    return Refusal(Status.NOT_FOUND, message)
