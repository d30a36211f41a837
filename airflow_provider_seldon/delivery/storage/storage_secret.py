"""The Secret that the storage initializer reads, and the source of its content."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND
from airflow_provider_seldon.core.storage.rclone_remote import FILES
from airflow_provider_seldon.core.storage.rclone_secret import (
    WITHOUT_CREDENTIALS,
    credentials_in,
    is_credential,
    rclone_settings,
    scheme_of,
    secret_name,
)

if TYPE_CHECKING:
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.storage.storage_connection import StorageConnection
    from airflow_provider_seldon.delivery.target import Target
    from airflow_provider_seldon.kube.requests.client import SeldonClient


@dataclass(frozen=True, kw_only=True)
class StorageSecret:
    """
    A Secret for the storage initializer.

    :param name: its name.
    :param values: its content if this provider creates it; empty for an existing one, which is never written.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def managed(self) -> bool:
        """Whether this provider creates the Secret."""
        return bool(self.values)

    def ensure(self, client: SeldonClient, owner: SeldonDeployment, *, known: bool = False) -> None:
        """
        Write the Secret if this provider creates it, so that it is deleted with its last owner.

        :param owner: the deployment; it must exist, but need not name the Secret yet.
        :param known: the deployment used the Secret before, so it probably exists.
        """
        if self.managed:
            client.secrets.ensure(
                self.name,
                self.values,
                owner=owner.name,
                uid=owner.uid,
                api_version=API_VERSION,
                kind=KIND,
                known=known,
            )


def storage_secret_for(
    target: Target, server: ModelServer, request: SeldonDeployment
) -> StorageSecret | None:
    """
    Choose the Secret of a request.

    The model server's own choice (a Secret or a service account) takes precedence, then the connection's
    ``storage_env_from``, then a Secret created from its ``storage_conn_id``. A request whose model URIs need
    no credentials gets none. A service account only identifies the pods; rclone must also be configured to
    use it, which a storage connection without its own credentials does.

    :raises InvalidRequestError: the storage connection does not fit the model URIs.
    """
    if server.secret_name:
        return None
    nodes = [node for predictor in request.predictors if predictor.graph for node in predictor.graph.walk()]
    schemes = {scheme_of(node.model_uri) for node in nodes if node.model_uri and not node.env_secret_ref_name}
    if not schemes - WITHOUT_CREDENTIALS:
        return None
    if not server.service_account and target.storage_secret:
        return StorageSecret(name=target.storage_secret)
    if target.read_storage_connection is None:
        return None
    settings = rclone_settings(_with_files_read(target.read_storage_connection()), schemes)
    if server.service_account and any(is_credential(variable) for variable in settings):
        return None
    target.mask(credentials_in(settings))
    return StorageSecret(name=secret_name(settings), values=settings)


def _with_files_read(connection: StorageConnection) -> StorageConnection:
    """Replace paths of key files by their content: the files exist on the worker, but not in the pod."""
    extra = dict(connection.extra)
    if connection.option("key_path") and not connection.option("keyfile_dict"):
        extra["keyfile_dict"] = _read(connection, "key_path")
    for path_field, content in FILES.items():
        if extra.get(path_field):
            extra[content] = _read(connection, path_field)
            del extra[path_field]
    return dataclasses.replace(connection, extra=extra)


def _read(connection: StorageConnection, field: str) -> str:
    path = connection.text(field)
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        raise InvalidRequestError.of(
            "storage_conn_id",
            f"connection {connection.conn_id!r} names the key file {path} ({field}), which cannot be read "
            f"here: {why}",
            "put the file on the workers, or its content into the connection",
        ) from None
