from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.serving.function_model import FunctionModel, NotLoadedError
from airflow_provider_seldon.serving.wrapper import SeldonModel

CODE = """
from pathlib import Path

def load(folder: Path) -> float:
    return float((folder / "factor.txt").read_text())

def scaled(factor, rows):
    return [[factor * value for value in row] for row in rows]

def listed(folder, rows):
    return sorted(path.name for path in folder.iterdir())

def broken(folder):
    raise AttributeError("no such weights")

def one_argument(rows):
    return rows

class Model:
    @staticmethod
    def predict(model, rows):
        return "static"

CONSTANT = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model, beside a module ``user_code`` that can be imported."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "user_code.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(code))
    models = tmp_path / "models"
    models.mkdir()
    (models / "factor.txt").write_text("2")
    return models


def loaded(**arguments: Any) -> FunctionModel:
    model = FunctionModel(**arguments)
    model.load()
    return model


def test_the_model_is_what_the_load_function_returned(folder: Path) -> None:
    model = loaded(predict="user_code:scaled", load="user_code:load", folder=folder)
    assert model.predict([[1, 2]]) == [[2.0, 4.0]]


def test_without_a_load_function_it_is_the_folder(folder: Path) -> None:
    assert loaded(predict="user_code:listed", folder=folder).predict([]) == ["factor.txt"]


def test_a_function_may_belong_to_a_class_and_need_no_files(folder: Path) -> None:
    assert loaded(predict="user_code:Model.predict").predict([]) == "static"


def test_it_is_ready_only_when_loaded(folder: Path) -> None:
    model = FunctionModel(predict="user_code:scaled", load="user_code:load", folder=folder)
    assert not model.ready
    with pytest.raises(NotLoadedError):
        model.predict([[1]])
    model.load()
    assert model.ready


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"predict": "no_such_package:predict"}, ModuleNotFoundError, "no_such_package"),
        ({"predict": "user_code:missing"}, AttributeError, "missing"),
        ({"predict": "user_code:CONSTANT"}, TypeError, "is a int, not a function"),
        ({"predict": "user_code:one_argument"}, TypeError, r"cannot be called with \(model, rows\)"),
        ({"predict": "user_code:scaled", "load": "user_code:scaled"}, TypeError, r"with \(folder\)"),
        ({"predict": "user_code:scaled", "load": "user_code:broken"}, AttributeError, "no such weights"),
        ({"predict": "user_code:scaled", "folder": "/no/such/folder"}, FileNotFoundError, "modelUri"),
    ],
)
def test_nothing_that_goes_wrong_while_loading_is_swallowed(
    folder: Path, arguments: dict[str, Any], kind: type[Exception], told: str
) -> None:
    model = FunctionModel(**{"folder": folder, **arguments})
    with pytest.raises(kind, match=told):
        model.load()
    assert not model.ready


def test_the_environment_says_what_the_command_line_does_not(folder: Path) -> None:
    environment = {
        "SELDON_PREDICT_FUNCTION": "user_code:scaled",
        "SELDON_LOAD_FUNCTION": "user_code:load",
        "SELDON_MODEL_DIR": str(folder),
    }
    model = FunctionModel.from_environment(environment, load=None)
    model.load()
    assert model.predict([[3]]) == [[6.0]]
    with pytest.raises(InvalidRequestError, match="predict_function"):
        FunctionModel.from_environment({})


def test_seldons_wrapper_never_gets_the_error_that_it_would_swallow(folder: Path) -> None:
    """It takes an AttributeError out of ``load`` for a class without the method, and serves without a model."""
    model = SeldonModel(
        predict_function="user_code:scaled", load_function="user_code:broken", model_uri=str(folder)
    )
    with pytest.raises(RuntimeError, match="AttributeError: no such weights"):
        model.load()
    with pytest.raises(RuntimeError, match="not loaded"):
        model.health_status()


def test_seldons_wrapper_gets_what_it_can_put_into_a_message(folder: Path) -> None:
    model = SeldonModel(
        predict_function="user_code:scaled",
        load_function="user_code:load",
        model_uri=str(folder),
        other="ignored",
    )
    model.load()
    assert model.predict([[1]], ["a"], meta={}) == [[2.0]]
    assert model.health_status() == "ok"
