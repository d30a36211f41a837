"""
A runtime for MLServer that serves a user's function in the open inference protocol (v2).

In ``model-settings.json``::

    {"name": "iris", "implementation": "airflow_provider_seldon.serving.runtime.FunctionRuntime",
     "parameters": {"uri": "/mnt/models", "extra": {"predict_function": "my_models.iris:predict"}}}

or, without the file, by the variables of ``function_model``. Set ``parallel_workers`` to 0: one process
serves one model, and ends if the model cannot be loaded.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
from typing import Any

from mlserver import MLModel
from mlserver.codecs import NumpyRequestCodec
from mlserver.types import InferenceRequest, InferenceResponse

from airflow_provider_seldon.serving.function_model import FunctionModel
from airflow_provider_seldon.serving.message import as_plain


class FunctionRuntime(MLModel):
    """Serves a user's function; MLServer creates it."""

    async def load(self) -> bool:
        """
        Load the model.

        After an exception MLServer logs it and exits with code 0, which Kubernetes would report as
        "Completed". So the exit code is set here.

        :raises Exception: any exception of the user's code.
        """
        try:
            self._function = FunctionModel.from_environment(**_arguments(self._settings))
            await asyncio.to_thread(self._function.load)
        except Exception:
            atexit.register(_exit_with_failure)
            raise
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict on the decoded inputs of the request, in a thread, so that probes are still answered."""
        rows = self.decode_request(payload, default_codec=NumpyRequestCodec)
        result = await asyncio.to_thread(self._function.predict, rows)
        return self.encode_response(_array(result), default_codec=NumpyRequestCodec)


def _arguments(settings: Any) -> dict[str, Any]:
    parameters = settings.parameters
    extra = (parameters.extra if parameters else None) or {}
    return {
        "predict": extra.get("predict_function"),
        "load": extra.get("load_function"),
        "folder": parameters.uri if parameters else None,
    }


def _array(result: Any) -> Any:
    """Convert lists to an array; types with their own MLServer codec stay as they are."""
    if hasattr(result, "dtype") or hasattr(result, "to_numpy"):
        return result
    import numpy

    return numpy.asarray(as_plain(result))


def _exit_with_failure() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
