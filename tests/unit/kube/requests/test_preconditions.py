"""What a write says that it expects to find."""

from __future__ import annotations

from airflow_provider_seldon.kube.requests.preconditions import delete_options, expecting

STORED = {"name": "m", "uid": "old", "resourceVersion": "7", "generation": 3, "managedFields": [{}]}


def test_what_the_server_alone_writes_is_not_sent_back() -> None:
    assert expecting(STORED) == {"name": "m"}


def test_a_write_names_the_object_and_the_version_that_it_expects() -> None:
    assert expecting(STORED, uid="u", resource_version="9") == {
        "name": "m",
        "uid": "u",
        "resourceVersion": "9",
    }


def test_a_creation_names_a_version_that_no_object_has() -> None:
    assert expecting({}, create=True, resource_version="9") == {"resourceVersion": "1"}


def test_a_deletion_without_expectations_has_no_preconditions() -> None:
    options = delete_options(propagation="Orphan", uid=None, resource_version="")
    assert options == {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan"}
    options = delete_options(propagation="Foreground", uid="u", resource_version="9")
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "9"}
