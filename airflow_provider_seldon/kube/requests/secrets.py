"""
Secrets with storage credentials.

A Secret that this provider created has the label ``app.kubernetes.io/managed-by`` and is owned by the
deployments that use it, so Kubernetes garbage-collects it with its last user. Another owner's Secret is never
written or deleted. Values go one way: they are sent, and never fetched (every response is requested as
metadata only), logged or put into an exception.

Permissions that this needs on Secrets: get, patch, create and delete, but not list.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, MANAGER
from airflow_provider_seldon.exceptions import ConflictError, ExistsError, NotFoundError, NotManagedError
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.transport import METADATA_ONLY, STRATEGIC, Transport

#: Attempts if another client creates, changes or deletes a Secret between a read and a write.
_ATTEMPTS = 5
#: The same for a release: all deployments that share it may release it at once, and each time one of them
#: succeeds.
_RELEASE_ATTEMPTS = 20


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

    def ensure(
        self,
        name: str,
        values: Mapping[str, str],
        *,
        owner: str,
        uid: str,
        api_version: str,
        kind: str,
        known: bool = False,
    ) -> None:
        """
        Ensure that a Secret with this content exists, owned by a deployment: one request in the usual cases.

        The name is derived from the content, so the Secret is immutable, and an existing one is not written.

        :param values: key -> plain value; encoded here.
        :param owner: name of the deployment; ``uid``, ``api_version`` and ``kind`` are its own as well.
        :param known: the deployment used this Secret before, so it probably exists: read before writing.
        :raises NotManagedError: a Secret of that name exists that this provider did not create.
        """
        reference = {"apiVersion": api_version, "kind": kind, "name": owner, "uid": uid}
        for attempt in range(_ATTEMPTS):
            if attempt or known:
                metadata = self._metadata(name)
                if metadata is not None:
                    self._refuse_foreign(name, metadata)
                    if uid in _owners(metadata):
                        return
                    # Its last other user may be releasing it at this moment.
                    with contextlib.suppress(NotFoundError):
                        self._patch_owners(name, [reference])
                        return
            with contextlib.suppress(ExistsError):
                self._create(name, values, [reference])
                return
        raise ConflictError(
            f"Secret {self._namespace}/{name} was created and deleted repeatedly meanwhile; retry."
        )

    def exists(self, name: str) -> bool:
        """Return whether there is a Secret of that name, whoever created it."""
        return self._metadata(name) is not None

    def release(self, name: str, *, uid: str) -> bool:
        """
        Release a Secret that a deployment no longer uses; delete it if it has no other owner.

        Kubernetes garbage-collects an object whose owners are gone, but not one whose list of owners is
        empty, so that is deleted here, if it has not changed since. A Secret that this provider did not
        create, or that the deployment does not own, is left as it is.

        :param uid: uid of the deployment.
        :returns: True when the Secret is gone.
        """
        for _ in range(_RELEASE_ATTEMPTS):
            metadata = self._metadata(name)
            if metadata is None:
                return True
            owners = _owners(metadata)
            if not _is_ours(metadata) or uid not in owners:
                return False
            try:
                if owners == [uid]:
                    return self._delete(name, metadata)
                gone = {"$patch": "delete", "uid": uid}
                self._patch_owners(name, [gone], resource_version=metadata.get("resourceVersion"))
                return False
            except ConflictError:
                continue  # another deployment started or stopped using it
            except NotFoundError:
                return True
        return False

    def _create(self, name: str, values: Mapping[str, str], owners: list[dict[str, str]]) -> None:
        body = self._manifest(name, values)
        body["metadata"]["ownerReferences"] = owners
        self._request(
            "POST", "", query={"fieldManager": self._field_manager}, body={**body, "immutable": True}
        )

    def _manifest(self, name: str, values: Mapping[str, str]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {LABEL_MANAGED_BY: MANAGER},
            },
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        }

    def _delete(self, name: str, metadata: Mapping[str, Any]) -> bool:
        conditions = {key: metadata[key] for key in ("uid", "resourceVersion") if metadata.get(key)}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        self._request("DELETE", name, body=body)
        return True

    def _patch_owners(
        self, name: str, references: list[dict[str, str]], *, resource_version: str | None = None
    ) -> None:
        """
        Add or remove owners. Adding one twice, or late, is harmless, and many deployments may do so at once.

        :param resource_version: refuse if the Secret has changed since, because a deployment started to use
            it again.
        """
        seen = {"resourceVersion": resource_version} if resource_version else {}
        self._request(
            "PATCH",
            name,
            query={"fieldManager": self._field_manager},
            body={"metadata": {**seen, "ownerReferences": references}},
            content_type=STRATEGIC,
        )

    def _refuse_foreign(self, name: str, metadata: Mapping[str, Any] | None) -> None:
        if metadata is None or _is_ours(metadata):
            return
        owner = _labels(metadata).get(LABEL_MANAGED_BY)
        raise NotManagedError(
            f"Secret {self._namespace}/{name} was not created by this provider"
            f"{f' but by {owner}' if owner else ''}; it is left as it is. Choose another name.",
            owners=[owner] if owner else [],
        )

    def _metadata(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self._request("GET", name).get("metadata") or {})
        except NotFoundError:
            return None

    def _request(self, method: str, name: str, **request: Any) -> dict[str, Any]:
        path = paths.secrets(self._namespace, name or None)
        return self._transport.request(method, path, accept=METADATA_ONLY, **request)


def _is_ours(metadata: Mapping[str, Any]) -> bool:
    return _labels(metadata).get(LABEL_MANAGED_BY) == MANAGER


def _labels(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return metadata.get("labels") or {}


def _owners(metadata: Mapping[str, Any]) -> list[Any]:
    return [one.get("uid") for one in metadata.get("ownerReferences") or ()]
