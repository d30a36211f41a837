"""The diff that dry runs and adoptions show: what a user writes, and no credentials."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    LABEL_MANAGED_BY,
    MANAGER,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.diff import MASK, difference

MANIFEST: dict[str, Any] = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {
        "name": "iris",
        "uid": "1",
        "resourceVersion": "7",
        "labels": {LABEL_MANAGED_BY: MANAGER, "team": "flowers"},
        "annotations": {
            ANNOTATION_RUN_ID: "run-1",
            "kubectl.kubernetes.io/last-applied-configuration": '{"a": "copy"}',
        },
    },
    "spec": {
        "predictors": [
            {
                "name": "default",
                "annotations": {ANNOTATION_REVISION: "0123456789"},
                "componentSpecs": [{"spec": {"containers": [{"name": "classifier", "env": []}]}}],
                "graph": {"name": "classifier", "modelUri": "s3://models/1"},
            }
        ]
    },
    "status": {"state": "Available"},
}


def of(**container: Any) -> SeldonDeployment:
    manifest = copy.deepcopy(MANIFEST)
    manifest["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0].update(container)
    return SeldonDeployment.from_manifest(manifest)


def test_only_what_differs_for_a_user_is_shown() -> None:
    other = copy.deepcopy(MANIFEST)
    other["metadata"] |= {"uid": "2", "resourceVersion": "8", "annotations": {ANNOTATION_RUN_ID: "run-2"}}
    other["spec"]["predictors"][0]["annotations"][ANNOTATION_REVISION] = "9876543210"
    other["status"] = {"state": "Creating"}
    assert difference(of(), SeldonDeployment.from_manifest(other)) == ""
    other["metadata"]["labels"]["team"] = "trees"
    changed = [
        line
        for line in difference(of(), SeldonDeployment.from_manifest(other)).splitlines()
        if "team" in line
    ]
    assert changed == ["-    team: flowers", "+    team: trees"]


def test_what_comes_and_what_goes_is_shown_whole() -> None:
    assert "+      modelUri: s3://models/1" in difference(None, of())
    assert "-      modelUri: s3://models/1" in difference(of(), None)
    assert difference(None, None) == ""


@pytest.mark.parametrize(
    "container",
    [
        {"env": [{"name": "DB_PASSWORD", "value": "hunter22"}]},
        {"args": ["--api-token=hunter22"]},
        {"command": ["serve", "postgres://me:hunter22@db/models"]},
        {"token": "hunter22"},
    ],
    ids=["env", "argument", "url", "field"],
)
def test_what_looks_like_a_credential_is_masked(container: dict[str, Any]) -> None:
    shown = difference(None, of(**container))
    assert "hunter22" not in shown
    assert MASK in shown


def test_where_a_credential_is_kept_is_no_credential() -> None:
    reference = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    shown = difference(None, of(env=[reference]))
    assert "key: password" in shown
    assert MASK not in shown
