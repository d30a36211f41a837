"""
Secrets with storage credentials.

A Secret that this provider made carries ``app.kubernetes.io/managed-by`` and is owned by the deployments that
use it, so the cluster collects it with its last user. One that somebody else made is never written or
deleted. Values are never logged or put into an exception.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.identity import LABEL_MANAGED_BY, MANAGER
from airflow_provider_seldon.exceptions import NotFoundError, NotManagedError
from airflow_provider_seldon.kube.transport import APPLY, STRATEGIC, Transport


class SecretWriter:
    """
    Writes and deletes this provider's Secrets in one namespace.

    :param transport: connection to the API server.
    :param namespace: the namespace of every call.
    :param field_manager: owner recorded for the fields that are set.
    """

    def __init__(self, transport: Transport, *, namespace: str, field_manager: str = MANAGER) -> None:
        self._transport = transport
        self._namespace = namespace
        self._field_manager = field_manager

    def apply(self, name: str, values: Mapping[str, str]) -> None:
        """
        Create the Secret or make it equal to ``values``.

        :param values: key -> plain value; encoded here.
        :raises NotManagedError: a Secret of that name exists that this provider did not make.
        """
        self._refuse_foreign(name)
        self._transport.request(
            "PATCH",
            self._path(name),
            # Ours by its label, so fields that an earlier client set with another operation are ours as well.
            query={"fieldManager": self._field_manager, "force": "true"},
            body={
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {
                    "name": name,
                    "namespace": self._namespace,
                    "labels": {LABEL_MANAGED_BY: MANAGER},
                },
                "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
            },
            content_type=APPLY,
        )

    def exists(self, name: str) -> bool:
        """Tell whether there is a Secret of that name, whoever made it."""
        return self._labels(name) is not None

    def add_owner(self, name: str, *, owner: str, uid: str, api_version: str, kind: str) -> None:
        """Let the cluster delete the Secret with the last of its owners (Kubernetes garbage collection)."""
        reference = {"apiVersion": api_version, "kind": kind, "name": owner, "uid": uid}
        self._transport.request(
            "PATCH",
            self._path(name),
            query={"fieldManager": self._field_manager},
            body={"metadata": {"ownerReferences": [reference]}},
            content_type=STRATEGIC,
        )

    def delete(self, name: str) -> bool:
        """
        Delete one of this provider's Secrets; absent is success.

        :returns: False when there was nothing to delete.
        :raises NotManagedError: the Secret is somebody else's.
        """
        self._refuse_foreign(name)
        try:
            self._transport.request("DELETE", self._path(name))
        except NotFoundError:
            return False
        return True

    def _refuse_foreign(self, name: str) -> None:
        labels = self._labels(name)
        if labels is not None and labels.get(LABEL_MANAGED_BY) != MANAGER:
            owner = labels.get(LABEL_MANAGED_BY)
            raise NotManagedError(
                f"Secret {self._namespace}/{name} was not made by this provider"
                f"{f' but by {owner}' if owner else ''}; it is left as it is. Choose another name.",
                owners=[owner] if owner else [],
            )

    def _labels(self, name: str) -> dict[str, Any] | None:
        try:
            secret = self._transport.request("GET", self._path(name))
        except NotFoundError:
            return None
        return dict((secret.get("metadata") or {}).get("labels") or {})

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self._namespace}/secrets/{name}"
