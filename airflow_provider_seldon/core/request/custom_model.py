"""
A custom model's container: the arguments of a ``ModelServer`` that runs ``airflow_provider_seldon.serving``. Pure.

Seldon's operator adds the rest: ports with their variables and, if there is a ``modelUri``, the initializer
that puts the files into ``/mnt/models`` (Seldon Core 1.17.1 or later; PR #5059).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.request.function_path import FunctionPath

MODELS_FOLDER = "/mnt/models"

_PATHS = {"seldon": ("/ready", "/live"), "v2": ("/v2/health/ready", "/v2/health/live")}
_PERIOD = 5


def custom_container(
    *,
    predict_function: str,
    load_function: str | None = None,
    model_uri: str | None = None,
    protocol: str | None = None,
    startup_timeout: float = 600.0,
    python: str = "python",
    container: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Return ``command`` and ``extra_args`` of the model server.

    :param predict_function: ``package.module:function``, called with the model and the rows.
    :param load_function: ``package.module:function``, called once with the folder of the files.
    :param model_uri: URI of the files; without one the model needs none.
    :param protocol: ``seldon`` or ``v2`` (``kfserving``).
    :param startup_timeout: seconds that loading may take before the container is restarted.
    :param python: interpreter in the image.
    :param container: fields of the container that override those generated here.
    :raises InvalidRequestError: a function's path is invalid.
    """
    dialect = "v2" if protocol in {"v2", "kfserving"} else "seldon"
    command = [python, "-m", "airflow_provider_seldon.serving", "--protocol", dialect]
    command += ["--predict", str(FunctionPath.parse(predict_function))]
    if load_function:
        command += ["--load", str(FunctionPath.parse(load_function, field="load_function"))]
    if model_uri:
        command += ["--model-dir", MODELS_FOLDER]
    ready, live = _PATHS[dialect]
    made = {
        # The others start only after this has succeeded once, so that slow loading is not taken for a
        # failure.
        "startupProbe": _probe(ready, failures=math.ceil(startup_timeout / _PERIOD)),
        "readinessProbe": _probe(ready, failures=3),
        "livenessProbe": _probe(live, failures=6),
    }
    return {"command": command, "extra_args": {"container": {**made, **(container or {})}}}


def _probe(path: str, *, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": _PERIOD,
        "timeoutSeconds": 5,
        "failureThreshold": max(1, failures),
    }
