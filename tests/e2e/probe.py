"""What a deployment answers, asked all the time."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from dataclasses import dataclass

from tests.e2e.rest import eventually

#: Seconds after which the gateway knows of a new route at the latest. It hears of it a little after everybody else, and
#: nothing in the cluster says when (SeldonIO/seldon-core #3474). A new version under the same route needs no allowance.
GATEWAY_LAG = 2.0


@dataclass(frozen=True)
class Prediction:
    """One prediction: when it was requested, and who answered."""

    asked: float
    uri: str = ""
    revision: str = ""
    pod: str = ""
    error: str = ""


class Probe:
    """Asks a deployment for predictions all the time."""

    def __init__(self, url: str) -> None:
        self.predictions: list[Prediction] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def since(self, moment: float, *, until: float = float("inf")) -> list[Prediction]:
        """Return the predictions requested from then on, at least five."""

        def look() -> list[Prediction] | None:
            found = [one for one in list(self.predictions) if moment < one.asked < until]
            return found if len(found) >= 5 else None

        return eventually("predictions", look)  # type: ignore[no-any-return]

    def _ask_on(self) -> None:
        while not self._over.wait(0.05):
            self.predictions.append(ask(self._url))


def ask(url: str) -> Prediction:
    """Request one prediction."""
    asked = time.time()
    body = json.dumps({"data": {"ndarray": [[1.0, 2.0]]}}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            tags = json.load(response)["meta"]["tags"]
        return Prediction(asked, tags["modelUri"], tags["revision"], tags["pod"])
    except OSError as error:
        return Prediction(asked, error=str(error))
