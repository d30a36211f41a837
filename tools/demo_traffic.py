"""What the demo does while a canary is under way: clients ask, and the candidate answers as badly as is ordered."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds between two requests of a client.
PAUSE = 0.02


def targets(local: Any) -> str:
    """Return where the list of pods is that Prometheus would read."""
    return str(local.scrape_config()["http_sd_configs"][0]["url"])


@contextmanager
def users(local: Any, url: str, *, error_rate: float | None) -> Iterator[None]:
    """
    Let clients ask a model while a canary is under way.

    :param error_rate: which share of the candidate's requests fails; None where there is no canary.
    """
    if error_rate is None:
        yield
        return
    from airflow_provider_seldon.local.cluster import Misbehaviour

    local.misbehaviours.order(Misbehaviour(error_rate=error_rate), predictor="canary")
    with clients(url):
        yield


@contextmanager
def clients(url: str) -> Iterator[None]:
    """Ask a model all the time, as its users do."""
    over = threading.Event()
    body = json.dumps({"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}).encode()

    def ask() -> None:
        while not over.wait(PAUSE):
            request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
            except (urllib.error.URLError, OSError):
                pass  # what fails is counted where it failed

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=15)
