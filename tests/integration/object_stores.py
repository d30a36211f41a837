"""
Object stores on this machine, as far as rclone needs them to list and read a folder.

One server speaks S3 (ListObjects and GetObject, signatures unchecked), Google Cloud Storage (JSON, with
OAuth tokens for service accounts) and Azure blobs (by SAS), from one dictionary of objects. It notes who asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_seldon.local.loop_thread import LoopThread

_DATE = "2026-01-05T00:00:00.000Z"


class ObjectStores:
    """
    The server's objects and what it was asked.

    :param objects: ``bucket/key`` -> content.
    """

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = dict(objects)
        self.url = ""
        #: ``Authorization`` headers, and queries of Azure requests.
        self.credentials: list[str] = []
        #: Service accounts that were given a token.
        self.assertions: list[str] = []

    def application(self) -> web.Application:
        """The web application."""
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_get("/storage/v1/b/{bucket}/o", self._google)
        app.router.add_get("/azure/{bucket}", self._azure)
        app.router.add_get("/{bucket}", self._s3)
        app.router.add_get("/{bucket}/", self._s3)
        app.router.add_get("/{path:.*}", self._absent)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.assertions.append(str(form["assertion"]))
        return web.json_response({"access_token": "issued", "token_type": "Bearer", "expires_in": 3600})

    async def _google(self, request: web.Request) -> web.Response:
        self.credentials.append(request.headers.get("Authorization", ""))
        items = [
            {
                "kind": "storage#object",
                "name": key,
                "bucket": request.match_info["bucket"],
                "size": str(len(content)),
                "updated": _DATE,
            }
            for key, content in self._listed(request)
        ]
        return web.json_response({"kind": "storage#objects", "items": items})

    async def _s3(self, request: web.Request) -> web.Response:
        self.credentials.append(request.headers.get("Authorization", ""))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_DATE}</LastModified><ETag>&quot;0&quot;</ETag>"
            f"<Size>{len(content)}</Size></Contents>"
            for key, content in self._listed(request)
        )
        return _xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>")

    async def _azure(self, request: web.Request) -> web.Response:
        self.credentials.append(request.query_string)
        entries = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{formatdate(0, usegmt=True)}"
            f"</Last-Modified><Etag>0</Etag><Content-Length>{len(content)}</Content-Length>"
            "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
            for key, content in self._listed(request)
        )
        return _xml(f"<EnumerationResults><Blobs>{entries}</Blobs><NextMarker /></EnumerationResults>")

    async def _absent(self, request: web.Request) -> web.Response:
        return web.Response(status=404)

    def _listed(self, request: web.Request) -> Iterator[tuple[str, bytes]]:
        bucket, prefix = request.match_info["bucket"], request.query.get("prefix", "")
        for path, content in self.objects.items():
            owner, _, key = path.partition("/")
            if owner == bucket and key.startswith(prefix) and "/" not in key.removeprefix(prefix):
                yield key, content


@contextmanager
def object_stores(objects: Mapping[str, bytes]) -> Iterator[ObjectStores]:
    """Run the server in a thread."""
    stores = ObjectStores(objects)
    runner = web.AppRunner(stores.application())

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        stores.url = f"http://{host}:{port}"

    with LoopThread(name="object-stores") as thread:
        thread.run(start())
        try:
            yield stores
        finally:
            thread.run(runner.cleanup())


def _xml(body: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="utf-8"?>{body}'
    return web.Response(text=text, content_type="application/xml")
