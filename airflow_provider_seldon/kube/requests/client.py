"""
SeldonDeployments of one namespace: apply, get, find, delete.

Writes are server-side apply with the field manager ``airflow-provider-seldon`` and strict field validation: a
field that the cluster's CRD does not declare is an error instead of being silently dropped, and a field that
an earlier apply set and this one omits is removed (a merge patch would keep it).

Writes have preconditions, see ``preconditions``.

What this does *not* do: decide. It neither checks who owns an object nor waits for a rollout.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_seldon.core.children.expected import ID_LABEL, deployment_id
from airflow_provider_seldon.core.identity.annotations import MANAGER
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import GROUP, PLURAL, VERSION, SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import items_at
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
    RolloutTimeoutError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.access_review import allowed
from airflow_provider_seldon.kube.requests.pages import pages
from airflow_provider_seldon.kube.requests.pods import PodReader
from airflow_provider_seldon.kube.requests.preconditions import delete_options, expecting
from airflow_provider_seldon.kube.requests.secrets import SecretWriter
from airflow_provider_seldon.kube.requests.transport import APPLY, MERGE, Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

#: Seconds between two reads while a deletion finishes.
DELETION_POLL = 1.0


class SeldonClient:
    """
    Kubernetes API for the SeldonDeployments of one namespace.

    :param api_client: authenticated client, usually ``SeldonHook(...).api_client``.
    :param namespace: the namespace of every call.
    :param field_manager: owner recorded for the fields that this client sets.
    :param patience: seconds for which a request is retried while the API server or a webhook is unavailable,
        see ``Transport``.
    :param renew: returns a client with credentials that were read again.
    """

    #: Class that sends the requests.
    transport_class: ClassVar[type[Transport]] = Transport

    def __init__(
        self,
        api_client: ApiClient,
        *,
        namespace: str,
        field_manager: str = MANAGER,
        patience: float = 0.0,
        renew: Callable[[], ApiClient] | None = None,
    ) -> None:
        self.namespace = namespace
        self.field_manager = field_manager
        self._transport = self.transport_class(api_client, patience=patience, renew=renew)
        #: Pods, their logs and events.
        self.pods = PodReader(self._transport, namespace=namespace)
        #: Secrets with storage credentials.
        self.secrets = SecretWriter(self._transport, namespace=namespace, field_manager=field_manager)

    def apply(
        self,
        deployment: SeldonDeployment,
        *,
        create: bool = False,
        uid: str | None = None,
        resource_version: str | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> SeldonDeployment:
        """
        Create the deployment, or make the existing one equal to it, in one request.

        :param deployment: the whole desired object; its status is not sent.
        :param create: refuse if there is an object of that name, whoever created it.
        :param uid: refuse if the object of that name was re-created or deleted; give the resource version,
            too.
        :param resource_version: refuse if the stored object is no longer at this version.
        :param force: take over fields that other managers own.
        :param dry_run: the server checks everything, webhooks included, and stores nothing.
        :returns: the object as stored (or as it would be).
        :raises ConflictError: other managers own fields, or a precondition does not hold.
        :raises RejectedError: unknown field, or refused by the schema or the admission webhook.
        """
        manifest = deployment.to_manifest()
        manifest.pop("status", None)
        metadata = {**(manifest.get("metadata") or {}), "namespace": self.namespace}
        answer = self._transport.request(
            "PATCH",
            self._path(deployment.name),
            query={
                "fieldManager": self.field_manager,
                "fieldValidation": "Strict",
                "force": "true" if force else None,
                "dryRun": "All" if dry_run else None,
            },
            body=manifest
            | {"metadata": expecting(metadata, uid=uid, resource_version=resource_version, create=create)},
            content_type=APPLY,
        )
        return _deployment(answer)

    def annotate(
        self,
        name: str,
        annotations: Mapping[str, str | None],
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> SeldonDeployment:
        """
        Set annotations (None removes one) without changing anything else.

        Metadata is not part of an object's generation, so this starts no rollout.

        :param uid: refuse if the object of that name was re-created.
        :param resource_version: refuse if the object has changed since.
        :raises ConflictError: the uid or the resource version differs.
        :raises DeploymentNotFoundError: there is no such deployment.
        """
        metadata = expecting({"annotations": dict(annotations)}, uid=uid, resource_version=resource_version)
        try:
            answer = self._transport.request(
                "PATCH",
                self._path(name),
                query={"fieldManager": self.field_manager},
                body={"metadata": metadata},
                content_type=MERGE,
            )
        except NotFoundError as error:
            raise self._missing(name, error) from None
        except RejectedError as error:
            # The API server has no uid precondition for a patch; it refuses to change the uid.
            if uid and "metadata.uid" in str(error):
                raise ConflictError(
                    f"{self.namespace}/{name} was re-created meanwhile (uid {uid} expected)"
                ) from None
            raise
        return _deployment(answer)

    def get(self, name: str) -> SeldonDeployment:
        """
        Read one deployment, whoever created it.

        :raises DeploymentNotFoundError: there is no such deployment, or no such CRD.
        """
        try:
            return _deployment(self._transport.request("GET", self._path(name)))
        except NotFoundError as error:
            raise self._missing(name, error) from None

    def find(
        self, *, labels: str | None = None, fields: str | None = None, everywhere: bool = False
    ) -> list[SeldonDeployment]:
        """
        List deployments, in pages of 500.

        Every object can be read as a SeldonDeployment: the model keeps unknown fields, so nothing is dropped.

        :param labels: label selector, such as ``app=x,tier!=test``.
        :param fields: field selector, such as ``metadata.name=x``.
        :param everywhere: in every namespace, which needs permission to list them in the whole cluster.
        """
        return [
            _deployment(item) for item in self._items(labels=labels, fields=fields, everywhere=everywhere)
        ]

    def objects(self) -> list[dict[str, Any]]:
        """List all deployments as the API server sends them, in pages of 500: what is read often is read in place."""
        return list(self._items(labels=None, fields=None))

    def delete(
        self,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Foreground",
    ) -> bool:
        """
        Delete one deployment; one that does not exist counts as deleted.

        Foreground is the default, because after a background deletion the old children still serve, and a
        deployment that is created at once with the same name would adopt them (Seldon Core reference,
        deletion).

        :param uid: refuse if the object of that name was re-created.
        :param resource_version: refuse if the object has changed since.
        :param propagation: ``Foreground``, ``Background`` or ``Orphan``.
        :returns: False when there was nothing to delete.
        :raises ConflictError: a precondition does not hold.
        """
        body = delete_options(propagation=propagation, uid=uid, resource_version=resource_version)
        try:
            self._transport.request("DELETE", self._path(name), body=body)
        except NotFoundError:
            return False
        return True

    def wait_until_deleted(self, name: str, *, uid: str | None = None, timeout: float = 300.0) -> None:
        """
        Block until the deployment and every pod of it are gone.

        :param uid: the deletion counts as done when another object has the name.
        :param timeout: seconds.
        :raises RolloutTimeoutError: something is left after ``timeout``; the message says what.
        """
        deadline = time.monotonic() + timeout
        while left := self._left_over(name, uid):
            if time.monotonic() >= deadline:
                raise RolloutTimeoutError(
                    f"{self.namespace}/{name}: DeletionTimeout: after {timeout:.0f} s these still exist: {left}.",
                    reason="DeletionTimeout",
                    deployment=f"{self.namespace}/{name}",
                )
            time.sleep(min(DELETION_POLL, max(0.0, deadline - time.monotonic())))

    def children(self, *ids: str) -> list[dict[str, Any]]:
        """
        List the Deployments that the operator created for a SeldonDeployment.

        :param ids: values of their label ``seldon-deployment-id``: usually the SeldonDeployment's name, see
            ``core.children.child_ids``; none for those of all SeldonDeployments.
        """
        if not ids:
            return list(pages(self._transport, self._children_path(), labels=ID_LABEL))
        ids = tuple(deployment_id(paths.checked(one)) for one in ids)
        labels = f"{ID_LABEL}={ids[0]}" if len(ids) == 1 else f"{ID_LABEL} in ({','.join(ids)})"
        return list(pages(self._transport, self._children_path(), labels=labels))

    def routes(self, name: str) -> dict[str, Any] | None:
        """Return a deployment's VirtualService or Mappings; None if there are none, or not readable."""
        for path, query in paths.routes(self.namespace, deployment_id(name)):
            with contextlib.suppress(NotFoundError, ForbiddenError):
                found = self._transport.request("GET", path, query=query)
                if found.get("items", [found]):
                    return found
        return None

    def crd_served(self) -> bool:
        """Return whether the cluster serves SeldonDeployments in the version that this provider uses."""
        try:
            group = self._transport.request("GET", paths.GROUP_VERSION)
        except NotFoundError:
            return False
        return any(resource.get("name") == PLURAL for resource in items_at(group, "resources"))

    def missing_rights(self, rights: Mapping[str, tuple[str, str, str]]) -> list[str]:
        """
        Return which permissions the connection's account lacks in the namespace.

        :param rights: text for a missing permission -> (verb, API group, resource).
        """
        return [
            text for text, right in rights.items() if not allowed(self._transport, self.namespace, *right)
        ]

    def _left_over(self, name: str, uid: str | None) -> str:
        try:
            # Pods have the name in their labels, not the uid: those of a successor look the same.
            return "the deployment itself" if uid in {None, self.get(name).uid} else ""
        except NotFoundError:
            pass
        pods = [pod["metadata"]["name"] for pod in self.pods.of_deployment(name)]
        return f"pod {', '.join(sorted(pods))}" if pods else ""

    def _items(
        self, *, labels: str | None, fields: str | None, everywhere: bool = False
    ) -> Iterator[dict[str, Any]]:
        path = paths.all_seldon_deployments() if everywhere else self._path()
        for item in pages(self._transport, path, labels=labels, fields=fields):
            # The items of a list have no kind in Kubernetes' responses.
            yield {"apiVersion": f"{GROUP}/{VERSION}", "kind": "SeldonDeployment", **item}

    def _path(self, name: str | None = None) -> str:
        return paths.seldon_deployments(self.namespace, name)

    def _children_path(self) -> str:
        return paths.deployments(self.namespace)

    def _missing(self, name: str, error: NotFoundError) -> DeploymentNotFoundError:
        return DeploymentNotFoundError(
            f"There is no SeldonDeployment {self.namespace}/{name}, or the cluster has no Seldon Core "
            f"({error})."
        )


def _deployment(answer: Mapping[str, Any]) -> SeldonDeployment:
    try:
        return SeldonDeployment.from_manifest(answer)
    except InvalidRequestError as error:
        raise UnexpectedAnswerError(f"The API server answered with something else: {error}") from None
