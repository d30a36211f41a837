"""
A model class for Seldon's Python wrapper.

    seldon-core-microservice airflow_provider_seldon.serving.wrapper.SeldonModel --service-type MODEL

The wrapper finds its methods by name, so nothing of ``seldon_core`` is imported. Graph parameters
(``predict_function``, ``load_function``) or the variables of ``function_model`` give the functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_seldon.serving.function_model import FunctionModel
from airflow_provider_seldon.serving.message import as_plain


class SeldonModel:
    """
    Serves a user's function.

    :param predict_function: ``package.module:function``.
    :param load_function: function that loads the files, likewise.
    :param model_uri: folder with the model's files; defaults to ``/mnt/models`` if that exists.
    :param ignored: further graph parameters, which the wrapper passes to every class.
    """

    def __init__(
        self,
        predict_function: str | None = None,
        load_function: str | None = None,
        model_uri: str | None = None,
        **ignored: Any,
    ) -> None:
        self._model = FunctionModel.from_environment(
            predict=predict_function, load=load_function, folder=model_uri
        )

    def load(self) -> None:
        """
        Load the model; called once in every process of the server, before it accepts requests.

        :raises RuntimeError: the user's code raised an error. The wrapper would take an ``AttributeError``
            for a missing ``load`` method and serve without a model; so it never gets one.
        """
        try:
            self._model.load()
        except Exception as error:
            raise RuntimeError(f"the model could not be loaded: {type(error).__name__}: {error}") from error

    def predict(self, X: Any, names: Iterable[str] | None = None, meta: Any = None) -> Any:  # noqa: N803
        """Predict; the wrapper puts the result into a message in the form of the request."""
        result = self._model.predict(X)
        return result if hasattr(result, "shape") or isinstance(result, str | bytes) else as_plain(result)

    def health_status(self) -> str:
        """
        Answer ``/health/status``.

        :raises RuntimeError: the model is not loaded.
        """
        if not self._model.ready:
            raise RuntimeError("the model is not loaded yet")
        return "ok"
