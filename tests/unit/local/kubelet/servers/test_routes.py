"""What a predictor's service says to a request for nothing that it knows."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.local.kubelet.servers.routes import Operation, refusal, route


@pytest.mark.parametrize("path", ["/api/v1.0/predictions", "/v2/models/classifier/infer"])
def test_what_takes_predictions_tells_a_browser_that_it_takes_post(path: str) -> None:
    assert route("POST", path).operation is not Operation.UNKNOWN
    assert refusal(route("GET", path), "GET", path) == (405, f"{path} takes POST, not GET")


def test_an_unknown_path_is_not_found_by_any_method() -> None:
    assert refusal(route("GET", "/api/v3"), "GET", "/api/v3") == (404, "no such path: /api/v3")
