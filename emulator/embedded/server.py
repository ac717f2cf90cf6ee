"""Serves handlers over gRPC on one port: every mistake is a status, no error ends the server.

Decides how a refusal, a malformed message and an unforeseen exception reach the client. Must not
know what the handlers do.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from emulator.embedded.journal import Journal
from emulator.embedded.methods import Method, Shape, refusal_of
from emulator.embedded.refusal import Refusal, Status, invalid

Handler: TypeAlias = Callable[[Any, Any], Any]
_Call: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_rpc: Any = grpc  # its factories carry no types
_LARGEST_REQUEST = 64 * 1024 * 1024  # above every documented limit: those are the handlers' to tell
_GRACE = 0.3
_PATIENCE = 1.0
_LONGEST_MESSAGE = 7000  # bytes on the wire: clients take 8 KiB of trailers
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second engine on the port is an error, not a partner
    ("grpc.max_receive_message_length", _LARGEST_REQUEST),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),  # clients that ping often are welcome
    ("grpc.http2.min_ping_interval_without_data_ms", 0),
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_log = logging.getLogger(__name__)


class PortTakenError(OSError):
    """Another process listens on the port that was asked for."""


class Server:
    """One port, and the methods served there. A method without a handler is UNIMPLEMENTED."""

    def __init__(
        self, methods: Mapping[str, Method], handlers: Mapping[str, Handler], journal: Journal
    ) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers([_Routes(methods, handlers, journal)])

    async def start(self, host: str, port: int) -> int:
        """Listen; a port of 0 is any free one. Returns the port; raises PortTakenError."""
        try:
            got = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise PortTakenError(
                f"{host}:{port} cannot be used: free it or choose another"
            ) from error
        await self._server.start()
        return int(got)

    async def stop(self) -> None:
        """Refuse new calls, give the open ones a moment, end them."""
        await self._server.stop(_GRACE)


class _Routes(grpc.GenericRpcHandler):
    """Finds the handler of a method; each is made on the first call to it."""

    def __init__(
        self, methods: Mapping[str, Method], handlers: Mapping[str, Handler], journal: Journal
    ) -> None:
        self._methods = methods
        self._handlers = handlers
        self._journal = journal
        self._made: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method
        found = self._made.get(path)
        if found is not None:
            return found
        method, handler = self._methods.get(path), self._handlers.get(path)
        if method is None or handler is None:
            return _refusing(path)  # not kept: clients could name any number of them
        made = _serving(method, _Guarded(method, handler, self._journal))
        self._made[path] = made
        return made


def _serving(method: Method, guarded: _Guarded) -> Any:
    read = _lenient(method.request_class())
    match method.shape:
        case Shape.UNARY:
            return _rpc.unary_unary_rpc_method_handler(guarded.unary, read)
        case Shape.SERVER:
            return _rpc.unary_stream_rpc_method_handler(guarded.stream, read)
        case Shape.BIDI:
            return _rpc.stream_stream_rpc_method_handler(guarded.stream, read)


def _refusing(path: str) -> Any:
    # A stream on both sides takes calls of every shape.
    async def refuse(requests: AsyncIterator[bytes], context: _Call) -> None:
        # A stream that is refused before its client has sent anything may fail there on its own.
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await anext(requests, b"")
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, refusal_of(path))

    return _rpc.stream_stream_rpc_method_handler(refuse)


@dataclass(frozen=True, slots=True)
class _Malformed:
    """What could not be read stands in for the request: an error here would tell nothing."""

    error: str


def _lenient(request_class: Any) -> Callable[[bytes], Any]:
    parse, name = request_class.FromString, request_class.DESCRIPTOR.full_name

    def read(raw: bytes) -> Any:
        try:
            return parse(raw)
        except Exception as error:  # noqa: BLE001 - whatever the protobuf runtime raises
            return _Malformed(f"The request is not a valid {name}: {error}")

    return read


def _checked(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise invalid(request.error)
    return _checked_each(request) if isinstance(request, AsyncIterable) else request


async def _checked_each(requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)


class _Guarded:
    """One method's handler, with everything it may raise translated for the client.

    What the handler has changed is durable before the client hears of it. Responses leave here as
    bytes, so that one which cannot be written is told like any other failure.
    """

    def __init__(self, method: Method, handler: Handler, journal: Journal) -> None:
        self._path = method.path
        self._write = method.response_class().SerializeToString
        self._handler = handler
        self._journal = journal

    async def unary(self, request: Any, context: _Call) -> Any:
        try:
            try:
                answer = self._write(await self._handler(_checked(request), context))
            finally:
                self._journal.flush()  # a refusal, too, may tell of what was done
        except Exception as error:  # noqa: BLE001 - translated for the client
            await self._fail(error, context)
        return answer

    async def stream(self, request: Any, context: _Call) -> AsyncIterator[Any]:
        try:
            async with _answers(self._handler(_checked(request), context)) as answers:
                async for answer in answers:
                    self._journal.flush()
                    yield self._write(answer)
            self._journal.flush()
        except Exception as error:  # noqa: BLE001 - translated for the client
            await self._fail(error, context)

    async def _fail(self, error: Exception, context: _Call) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):  # the handler has told the client itself
            raise error
        if isinstance(error, Refusal):
            status, message = error.status, error.message
        else:
            _log.error("%s failed", self._path, exc_info=error)
            status = Status.INTERNAL
            message = f"{self._path.rpartition('/')[2]} failed in the engine with {error!r}"
        await context.abort(_CODES[status], _bounded(message))
        raise AssertionError("abort raises") from error


def _bounded(message: str) -> str:
    """Cut where it would not fit; gRPC sends all but printable ASCII as three bytes each."""
    raw = message.encode(errors="replace")
    size = sum(1 if 0x20 <= byte < 0x7F and byte != ord("%") else 3 for byte in raw)
    return (
        message
        if size <= _LONGEST_MESSAGE
        else raw[: _LONGEST_MESSAGE // 3].decode("utf-8", "ignore")
    )


@asynccontextmanager
async def _answers(made: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """What a streaming handler made, an iterator or a coroutine of one; ended with the call."""
    answers = await made if inspect.isawaitable(made) else made
    try:
        yield answers
    finally:
        if hasattr(answers, "aclose"):
            await answers.aclose()
