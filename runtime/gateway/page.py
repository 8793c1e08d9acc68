"""The page: files of the package, read and packed once, served with their types and an ETag."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import FastAPI, Request, Response

from tickwire.runtime.gateway.problems import Problem

TYPES: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
    "md": "text/plain; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
}
"""File name's end → content type; others are not served."""
PACKED_FROM = 1024
"""Bytes: smaller files are not worth packing."""
REVALIDATE = "no-cache"
"""Browsers keep a file and ask whether it is still the same: a new release shows at once."""


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    type: str
    etag: str
    packed: bytes | None
    """The same by gzip; None where that gains nothing."""


def load_page(package: str = "tickwire.runtime.gateway.static") -> dict[str, Asset]:
    """Path below the package → file."""
    return dict(_walk(files(package), ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.name.startswith("_"):
                yield from _walk(entry, f"{prefix}{entry.name}/")
            continue
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if kind is not None:
            body = entry.read_bytes()
            etag = hashlib.sha256(body).hexdigest()[:32]
            yield f"{prefix}{entry.name}", Asset(body, kind, etag, _pack(body))


def _pack(body: bytes) -> bytes | None:
    packed = gzip.compress(body, 6, mtime=0) if len(body) >= PACKED_FROM else body
    return packed if len(packed) < len(body) else None


def add_page(app: FastAPI, assets: Mapping[str, Asset]) -> None:
    """`/` and `/static/…`."""

    def answer(request: Request, path: str) -> Response:
        asset = assets.get(path)
        if asset is None:
            raise Problem(404, "not_found", f"there is no {request.url.path}")
        packed = asset.packed if "gzip" in request.headers.get("accept-encoding", "") else None
        etag = f'"{asset.etag}"' if packed is None else f'"{asset.etag}-gzip"'
        headers = {"ETag": etag, "Cache-Control": REVALIDATE, "Content-Type": asset.type}
        headers["Vary"] = "Origin, Accept-Encoding"
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed is None:
            return Response(asset.body, headers=headers)
        return Response(packed, headers=headers | {"Content-Encoding": "gzip"})

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        return answer(request, "index.html")

    @app.api_route("/static/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def static(request: Request, path: str) -> Response:
        return answer(request, path)

    @app.api_route("/favicon.ico", methods=["GET", "HEAD"], include_in_schema=False)
    async def icon(request: Request) -> Response:
        return answer(request, "favicon.svg")
