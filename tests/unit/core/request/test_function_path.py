from __future__ import annotations

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.function_path import FunctionPath


@pytest.mark.parametrize(
    ("text", "module", "function"),
    [
        ("iris:predict", "iris", "predict"),
        ("my.models.iris:Model.predict", "my.models.iris", "Model.predict"),
    ],
)
def test_a_function_is_found_by_module_and_name(text: str, module: str, function: str) -> None:
    path = FunctionPath.parse(text)
    assert (path.module, path.function, str(path)) == (module, function, text)


@pytest.mark.parametrize(
    "text", ["", "iris", "iris.predict", "iris:", ":predict", "my-models:predict", "a:b:c", None]
)
def test_anything_else_is_refused_with_the_form_that_is_meant(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"load_function.*package\.module:function"):
        FunctionPath.parse(text, field="load_function")
