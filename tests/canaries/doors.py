"""
Doors in front of the pods' metrics and of Prometheus, one for each canary, which can be shut.

A shut door answers 503: to Prometheus, which then has a gap in what it has scraped; or to whoever asks Prometheus.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web


class Doors:
    """
    All doors of a cluster.

    :param metrics: base URL of the pods' metrics.
    """

    def __init__(self, metrics: str) -> None:
        self._metrics = metrics
        self._prometheus = ""
        self._http: aiohttp.ClientSession
        self._runner: web.AppRunner
        self.url = ""
        #: Namespaces whose pods cannot be scraped, and those that cannot ask.
        self.unscraped: set[str] = set()
        self.unanswered: set[str] = set()

    def lead_to(self, prometheus: str) -> None:
        """Say where Prometheus is."""
        self._prometheus = prometheus

    async def open(self) -> None:
        """Listen; :attr:`url` is known afterwards."""
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        app = web.Application()
        app.router.add_get("/targets", self._targets)
        app.router.add_get("/pods/{namespace}/{rest:.*}", self._scrape)
        app.router.add_route("*", "/prometheus/{namespace}/{rest:.*}", self._ask)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()
        await self._http.close()

    def scrape_config(self, *, interval: float) -> dict[str, object]:
        """An entry of ``scrape_configs``, by way of these doors."""
        milliseconds = f"{round(interval * 1000)}ms"
        return {
            "job_name": "seldon",
            "scrape_interval": milliseconds,
            "scrape_timeout": milliseconds,
            "http_sd_configs": [{"url": f"{self.url}/targets", "refresh_interval": "1s"}],
        }

    async def _targets(self, _: web.Request) -> web.Response:
        async with self._http.get(f"{self._metrics}/targets") as response:
            found = await response.json()
        return web.json_response([{**one, "targets": [self.url.removeprefix("http://")]} for one in found])

    async def _scrape(self, request: web.Request) -> web.Response:
        url = f"{self._metrics}{request.path}"
        return await self._through(request, self.unscraped, lambda: self._http.get(url))

    async def _ask(self, request: web.Request) -> web.Response:
        url = f"{self._prometheus}/{request.match_info['rest']}"
        body = await request.read()
        headers = {"Content-Type": request.content_type} if body else {}
        return await self._through(
            request,
            self.unanswered,
            lambda: self._http.request(
                request.method, url, params=request.query, data=body or None, headers=headers
            ),
        )

    async def _through(
        self,
        request: web.Request,
        shut: set[str],
        send: Callable[[], Awaitable[aiohttp.ClientResponse]],
    ) -> web.Response:
        if request.match_info["namespace"] in shut:
            return web.Response(status=503, text="shut")
        try:
            response = await send()
            async with response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError):
            return web.Response(status=502, text="nobody there")
        return web.Response(status=response.status, body=body, content_type=response.content_type)
