"""The hook as it is documented, whichever file a method is in."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields

import pytest

from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.hooks.seldon import SeldonHook


@pytest.mark.parametrize("method", ["predict", "delete_model_server", "scale"])
def test_an_error_names_the_hook_and_its_method(method: str) -> None:
    arguments = {"predict": {"data": [[1.0]]}, "scale": {"replicas": 1}}.get(method, {})
    with pytest.raises(InvalidModelServerError, match=rf"SeldonHook\.{method}"):
        getattr(SeldonHook(None), method)("No Name", **arguments)


def test_a_deploy_request_has_the_arguments_of_deploy_model_and_their_defaults() -> None:
    arguments = inspect.signature(SeldonHook.deploy_model).parameters
    asked = {name: one.default for name, one in arguments.items() if name != "self"}
    stated = {
        one.name: inspect.Parameter.empty if one.default is MISSING else one.default
        for one in fields(DeployRequest)
        if one.name not in {"mark", "assess"}  # of this one write, and of the hook; nobody gives them
    }
    assert stated == asked
