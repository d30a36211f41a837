"""Model files as each server wants them: arranged, or refused with what was found and what was expected."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.storage.model_files import arrange

SAVED_MODEL = ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]


def arranged(files: list[str], server: str | None, protocol: str | None = None) -> dict[str, str]:
    return arrange(files, implementation=server, protocol=protocol, model_name="iris").files


@pytest.mark.parametrize(
    ("server", "protocol", "files"),
    [
        ("SKLEARN_SERVER", None, ["model.joblib", "metadata.yaml"]),
        ("SKLEARN_SERVER", "v2", ["model.joblib"]),
        ("SKLEARN_SERVER", "v2", ["model.pickle"]),
        ("SKLEARN_SERVER", "kfserving", ["model.pkl"]),
        ("XGBOOST_SERVER", None, ["model.bst"]),
        ("XGBOOST_SERVER", "v2", ["model.json"]),
        ("TENSORFLOW_SERVER", None, [f"{number}/{file}" for number in (3, 12) for file in SAVED_MODEL]),
        ("MLFLOW_SERVER", None, ["MLmodel", "conda.yaml", "model.pkl"]),
        ("TRITON_SERVER", "v2", ["a/config.pbtxt", "a/1/model.onnx", "b/2/model.plan"]),
        ("HUGGINGFACE_SERVER", "v2", ["config.json", "model.safetensors", "tokenizer.json"]),
        (None, None, ["anything.txt"]),
        ("MY_OWN_SERVER", None, ["anything.txt"]),
    ],
)
def test_files_that_are_right_stay_as_they_are(
    server: str | None, protocol: str | None, files: list[str]
) -> None:
    assert arranged(files, server, protocol) == {file: file for file in files}


@pytest.mark.parametrize(
    ("server", "protocol", "files", "expected"),
    [
        ("SKLEARN_SERVER", None, ["iris-2026.joblib"], {"model.joblib": "iris-2026.joblib"}),
        ("SKLEARN_SERVER", "v2", ["iris.pkl"], {"model.pkl": "iris.pkl"}),
        (
            "XGBOOST_SERVER",
            None,
            ["booster.bst", "notes.md"],
            {"model.bst": "booster.bst", "notes.md": "notes.md"},
        ),
        ("TRITON_SERVER", "v2", ["1/model.onnx"], {"iris/1/model.onnx": "1/model.onnx"}),
        (
            "TRITON_SERVER",
            "v2",
            ["config.pbtxt", "1/model.onnx"],
            {"iris/config.pbtxt": "config.pbtxt", "iris/1/model.onnx": "1/model.onnx"},
        ),
    ],
)
def test_what_only_has_another_name_is_renamed(
    server: str, protocol: str | None, files: list[str], expected: dict[str, str]
) -> None:
    assert arranged(files, server, protocol) == expected


def test_a_saved_model_gets_the_number_that_it_is_given() -> None:
    found = arrange(SAVED_MODEL, implementation="TENSORFLOW_SERVER")
    assert found.versioned
    assert sorted(found.numbered(7).files) == sorted(f"7/{file}" for file in SAVED_MODEL)
    assert not found.numbered(7).versioned


def test_only_the_numbered_directories_of_a_tensorflow_model_are_taken() -> None:
    assert arranged(["1/saved_model.pb", "train.log"], "TENSORFLOW_SERVER") == {
        "1/saved_model.pb": "1/saved_model.pb"
    }


@pytest.mark.parametrize(
    ("server", "protocol", "files", "told"),
    [
        ("SKLEARN_SERVER", None, ["model.pkl"], r"expects a file model\.joblib; found model\.pkl"),
        ("SKLEARN_SERVER", None, ["a.joblib", "b.joblib"], "found a.joblib, b.joblib"),
        ("SKLEARN_SERVER", None, ["model/model.joblib"], "found model/model.joblib"),
        ("XGBOOST_SERVER", None, ["model.ubj"], "model.json or model.bst; found model.ubj"),
        ("TENSORFLOW_SERVER", None, ["model.keras"], "saved_model.pb.*found model.keras"),
        ("TENSORFLOW_SERVER", None, ["1/model.keras"], "found 1/model.keras"),
        ("MLFLOW_SERVER", None, ["model/MLmodel", "model/x"], "MLmodel at the top.*give its folder model"),
        ("MLFLOW_SERVER", None, ["model.pkl"], "save_model"),
        ("TRITON_SERVER", "v2", ["model.onnx"], "model repository.*1/model.onnx"),
        ("TRITON_SERVER", "v2", ["a/1/model.onnx", "b/model.onnx"], "found a/1/model.onnx, b/model.onnx"),
        ("HUGGINGFACE_SERVER", "v2", ["model.safetensors"], "config.json"),
        ("HUGGINGFACE_SERVER", "v2", ["config.json"], "weights"),
        (None, None, [], "no file"),
        ("SKLEARN_SERVER", None, [".DS_Store"], "no file"),
    ],
)
def test_a_wrong_layout_is_refused_with_found_expected_and_fix(
    server: str | None, protocol: str | None, files: list[str], told: str
) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        arranged(files, server, protocol)


def test_a_long_list_of_files_is_cut() -> None:
    with pytest.raises(InvalidRequestError, match=r"file-15 and 92 more"):
        arranged([f"file-{number}" for number in range(100)], "SKLEARN_SERVER")
