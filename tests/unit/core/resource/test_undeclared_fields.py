"""Fields that the cluster's CRD does not declare."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.core.resource.undeclared_fields import undeclared_fields, without_fields
from airflow_provider_seldon.exceptions import UndeclaredFieldsError
from airflow_provider_seldon.kube.requests.answers import raise_for_status

CONTAINERS = "spec.predictors[0].componentSpecs[0].spec.containers"
ONE = (
    "failed to create typed patch object (models/iris; machinelearning.seldon.io/v1, Kind=SeldonDeployment): "
    ".spec.predictors[0].graph.endpoint.http_port: field not declared in schema"
)
SEVERAL = (
    "failed to create typed patch object (models/iris; machinelearning.seldon.io/v1, Kind=SeldonDeployment): errors:\n"
    f'  .{CONTAINERS}[name="classifier"].ports[containerPort=9000,protocol="TCP"].x: field not declared in schema\n'
    "  .spec.replicas: expected numeric (int or float), got string\n"
    "  .spec.foo: field not declared in schema"
)


def test_they_are_named_as_the_server_names_them() -> None:
    assert undeclared_fields(ONE) == ("spec.predictors[0].graph.endpoint.http_port",)
    assert undeclared_fields(SEVERAL) == (
        f'{CONTAINERS}[name="classifier"].ports[containerPort=9000,protocol="TCP"].x',
        "spec.foo",
    )
    decoding = 'strict decoding error: unknown field "spec.foo", unknown field "spec.predictors[1].bar"'
    assert undeclared_fields(decoding) == ("spec.foo", "spec.predictors[1].bar")
    assert undeclared_fields(".spec.replicas: expected numeric (int or float), got string") == ()


def test_they_can_be_left_out() -> None:
    port = {"containerPort": 9000, "x": 1}
    container = {"name": "classifier", "ports": [{"containerPort": 8000, "x": 1}, port], "image": "a"}
    manifest = {
        "spec": {
            "foo": {"deep": 1},
            "predictors": [
                {
                    "graph": {"endpoint": {"http_port": 1, "type": "REST"}},
                    "componentSpecs": [{"spec": {"containers": [{"name": "other"}, container]}}],
                }
            ],
        }
    }
    new, dropped = without_fields(manifest, [*undeclared_fields(ONE), *undeclared_fields(SEVERAL)])
    assert len(dropped) == 3
    (predictor,) = new["spec"]["predictors"]
    assert set(new["spec"]) == {"predictors"}
    assert predictor["graph"] == {"endpoint": {"type": "REST"}}
    ports = predictor["componentSpecs"][0]["spec"]["containers"][1]["ports"]
    assert ports == [{"containerPort": 8000, "x": 1}, {"containerPort": 9000}]
    assert manifest["spec"]["foo"] == {"deep": 1}


def test_what_is_not_in_the_manifest_is_not_taken_for_left_out() -> None:
    for path in ("spec.bar", "spec.foo.x.y", "spec.foo[0].x", "spec.list[7].x", 'spec.list[name="b"].x', ""):
        manifest = {"spec": {"foo": 1, "list": [{"name": "a", "x": 1}]}}
        assert without_fields(manifest, [path]) == (manifest, [])


def test_the_exception_says_which_and_how_to_leave_them_out() -> None:
    for status, message in ((500, ONE), (400, 'strict decoding error: unknown field "spec.foo"')):
        with pytest.raises(UndeclaredFieldsError, match="drop_unknown_fields=True") as raised:
            raise_for_status(status, {"kind": "Status", "message": message}, {}, action="PATCH x")
        assert raised.value.fields == undeclared_fields(message)
        assert all(field in str(raised.value) for field in raised.value.fields)
