"""
A user's function with model files.

    def load(folder: Path) -> Any:               # optional, called once, before anything is served
    def predict(model: Any, rows: Any) -> Any:   # called for every request

``model`` is the result of ``load``; without a ``load`` it is the folder with the model's files. ``rows`` is a
numpy array if numpy is installed, else nested lists; text, bytes and JSON objects are passed unchanged. The
function may be called from several threads at once.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_seldon.core.request.function_path import FunctionPath

#: Environment variables for the functions, if there is no command line.
PREDICT_VARIABLE = "SELDON_PREDICT_FUNCTION"
LOAD_VARIABLE = "SELDON_LOAD_FUNCTION"
FOLDER_VARIABLE = "SELDON_MODEL_DIR"
#: Folder into which Seldon's storage initializer puts the files of ``modelUri``.
MODELS_FOLDER = "/mnt/models"


class NotLoadedError(RuntimeError):
    """A prediction was requested before the model was loaded."""


class FunctionModel:
    """
    Loads a model once and predicts with it.

    :param predict: path of the function, ``package.module:function``.
    :param load: path of the function that loads the files; None passes the folder to ``predict``.
    :param folder: folder with the model's files; None for a model that needs none.
    """

    def __init__(self, *, predict: str, load: str | None = None, folder: str | Path | None = None) -> None:
        self._predict_path = FunctionPath.parse(predict)
        self._load_path = FunctionPath.parse(load, field="load_function") if load else None
        self.folder = Path(folder) if folder else None
        self.ready = False
        self._predict: Callable[..., Any] | None = None
        self._model: Any = self.folder

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> FunctionModel:
        """
        Create one from ``SELDON_PREDICT_FUNCTION``, ``SELDON_LOAD_FUNCTION`` and ``SELDON_MODEL_DIR``.

        :param given: arguments of the constructor that take precedence if they are not None.
        :raises InvalidRequestError: no function is named.
        """
        folder = environment.get(FOLDER_VARIABLE) or (MODELS_FOLDER if os.path.isdir(MODELS_FOLDER) else None)
        found = {
            "predict": environment.get(PREDICT_VARIABLE, ""),
            "load": environment.get(LOAD_VARIABLE) or None,
            "folder": folder,
        }
        return cls(**{**found, **{key: value for key, value in given.items() if value is not None}})

    def load(self) -> None:
        """
        Import the functions and load the model.

        :raises Exception: any exception of the user's code.
        """
        if self.folder is not None and not self.folder.is_dir():
            raise FileNotFoundError(
                f"there is no folder {self.folder} with the model's files; Seldon's storage initializer "
                "creates it if the graph node has a modelUri"
            )
        self._predict = function_at(self._predict_path, arguments=2)
        if self._load_path is not None:
            self._model = function_at(self._load_path, arguments=1)(self.folder)
        self.ready = True

    def predict(self, rows: Any) -> Any:
        """
        Predict.

        :raises NotLoadedError: the model is not loaded yet.
        """
        if not self.ready or self._predict is None:
            raise NotLoadedError("the model is not loaded yet")
        return self._predict(self._model, rows)


def function_at(path: FunctionPath, *, arguments: int) -> Callable[..., Any]:
    """
    Import a function.

    :param arguments: number of positional arguments of its calls.
    :raises ImportError: the module, or one that it imports, does not exist.
    :raises AttributeError: the module has no such name.
    :raises TypeError: it cannot be called with that number of arguments.
    """
    found: Any = importlib.import_module(path.module)
    for name in path.function.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{path} is a {type(found).__name__}, not a function")
    try:
        signature = inspect.signature(found)
    except ValueError:
        return found  # type: ignore[no-any-return]
    try:
        signature.bind(*[None] * arguments)
    except TypeError as error:
        expected = "(model, rows)" if arguments == 2 else "(folder)"
        raise TypeError(f"{path}{signature} cannot be called with {expected}: {error}") from None
    return found  # type: ignore[no-any-return]
