"""As much of Cloud Storage's JSON API as its Python client uses for the adapter, with faults.

Answers as documented: https://docs.cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import google_crc32c
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from emulator.serving import abort

MAY_NOT_REPLACE = "stage@p.iam does not have storage.objects.delete access to the object."


@dataclass
class Buckets:
    """The stand-in's state. `faults` strike the next requests, one each.

    A fault is None, a status to answer with, or: `lost` (done, and the connection closed), `cut`
    (half of the bytes, and the connection closed), `garbled` (sent with a byte changed), `damaged`
    (stored with a byte changed). `may_replace` is whether the caller may delete; `sums` are those
    that came with uploads, by name.
    """

    names: frozenset[str] = frozenset({"payloads"})
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    faults: list[int | str | None] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    uploads: dict[str, tuple[str, str]] = field(default_factory=dict)
    may_replace: bool = True
    sums: dict[str, str] = field(default_factory=dict)

    def reset(self) -> None:
        """As it was in the beginning."""
        self.__init__()  # type: ignore[misc]

    # -- uploads ----------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        """`multipart` has all in one request; `resumable` begins with a name."""
        bucket, kind = request.path_params["bucket"], request.query_params["uploadType"]
        body = await request.body()
        if bucket not in self.names:
            return PlainTextResponse("The specified bucket does not exist.", 404)
        if kind == "resumable":
            return self._begin(request, bucket, json.loads(body)["name"])
        meta, data = parts_of(request.headers["content-type"], body)
        self.sums[meta["name"]] = meta["crc32c"]
        return self._store(request, bucket, meta["name"], data)

    def _begin(self, request: Request, bucket: str, name: str) -> Response:
        refusal = self._refusal(request, bucket, name)
        if refusal is not None:
            return refusal
        upload_id = f"u{len(self.uploads)}"
        self.uploads[upload_id] = (bucket, name)
        return Response(headers={"location": f"{request.url}&upload_id={upload_id}"})

    async def resume(self, request: Request) -> Response:
        """The bytes of a resumable upload; the adapter sends them all at once."""
        bucket, name = self.uploads[request.query_params["upload_id"]]
        self.sums[name] = request.headers["x-goog-hash"].removeprefix("crc32c=")
        return self._store(request, bucket, name, await request.body())

    def _store(self, request: Request, bucket: str, name: str, data: bytes) -> Response:
        refusal = self._refusal(request, bucket, name)
        if refusal is not None:
            return refusal
        if request.state.fault == "damaged":
            data = bytes([data[0] ^ 1]) + data[1:]
        self.objects[bucket, name] = data
        return JSONResponse({"name": name, "bucket": bucket, "crc32c": crc32c(data)})

    def _refusal(self, request: Request, bucket: str, name: str) -> Response | None:
        if (bucket, name) not in self.objects or request.query_params["ifGenerationMatch"] != "0":
            return None
        if self.may_replace:
            return PlainTextResponse("At least one of the pre-conditions did not hold.", 412)
        return PlainTextResponse(MAY_NOT_REPLACE, 403)

    # -- the rest ---------------------------------------------------------------------------

    async def download(self, request: Request) -> Response:
        """The bytes, or from an offset on where an interrupted download goes on."""
        bucket, name = request.path_params["bucket"], request.path_params["name"]
        data = self.objects.get((bucket, name))
        if bucket not in self.names:
            return PlainTextResponse("The specified bucket does not exist.", 404)
        if data is None:
            return PlainTextResponse(f"No such object: {bucket}/{name}", 404)
        headers = {"x-goog-hash": f"crc32c={crc32c(data)}", "x-goog-generation": "1"}
        start = int(request.headers.get("range", "bytes=0-")[6:].split("-")[0])
        sent = data[start:]
        headers["content-length"] = str(len(sent))
        if request.state.fault == "garbled":
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        return StreamingResponse(pieces(request, sent), 206 if start else 200, headers)

    async def delete(self, request: Request) -> Response:
        if not self.may_replace:
            return PlainTextResponse(MAY_NOT_REPLACE, 403)
        found = self.objects.pop((request.path_params["bucket"], request.path_params["name"]), None)
        return JSONResponse({"error": {}}, 404) if found is None else Response(status_code=204)

    def app(self) -> Starlette:
        """The stand-in as an application."""
        uploads, objects = "/upload/storage/v1/b/{bucket}/o", "/storage/v1/b/{bucket}/o/{name:path}"
        return Starlette(
            routes=[
                self._route(uploads, self.upload, "POST"),
                self._route(uploads, self.resume, "PUT"),
                self._route(f"/download{objects}", self.download, "GET"),
                self._route(objects, self.delete, "DELETE"),
            ]
        )

    def _route(self, path: str, answer: Any, method: str) -> Route:
        async def answered(request: Request) -> Response:
            self.requests[method] += 1
            request.state.fault = self.faults.pop(0) if self.faults else None
            if isinstance(request.state.fault, int):
                await request.body()
                return PlainTextResponse("simulated", request.state.fault)
            response: Response = await answer(request)
            if request.state.fault == "lost":
                abort(request.scope)
            return response

        return Route(path, answered, methods=[method])


async def pieces(request: Request, data: bytes) -> Any:
    """The body of a download in pieces; where it is to be cut, half of them."""
    whole = range(0, len(data), 100_000)
    for at in whole[: len(whole) // 2] if request.state.fault == "cut" else whole:
        yield data[at : at + 100_000]
    if request.state.fault == "cut":
        abort(request.scope)


def parts_of(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """(metadata, bytes) of a multipart upload."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    parts: Any = BytesParser(policy=HTTP).parsebytes(head + body).get_payload()
    return json.loads(parts[0].get_payload()), parts[1].get_payload(decode=True)


def crc32c(data: bytes) -> str:
    """The checksum as the service writes it."""
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
