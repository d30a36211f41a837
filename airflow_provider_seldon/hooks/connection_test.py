"""Test a connection: the permissions that it needs, and whether it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.exceptions import (
    CredentialPluginError,
    ForbiddenError,
    NotFoundError,
    ServerUnavailableError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.service_proxy import RIGHT
from airflow_provider_seldon.kube.requests.transport import Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from airflow_provider_seldon.hooks.connection import SeldonConnectionHook

#: Permissions that the account of a connection needs: text -> (verb, API group, resource).
RIGHTS = {
    f"{verb} {resource}{f'.{group}' if group else ''}": (verb, group, resource)
    for group, resource, verbs in (
        ("machinelearning.seldon.io", "seldondeployments", "get list watch create patch delete"),
        ("apps", "deployments", "list watch"),
        ("", "pods", "list"),
        ("", "pods/log", "get"),
        ("", "events", "list"),
    )
    for verb in verbs.split()
}

#: Needed as well if its storage credentials become a Secret.
SECRET_RIGHTS = {f"{verb} secrets": (verb, "", "secrets") for verb in ("get", "create", "patch", "delete")}

#: Needed as well with Istio: the operator's VirtualServices prove a change of weights.
ROUTE_RIGHTS = {"get virtualservices.networking.istio.io": ("get", "networking.istio.io", "virtualservices")}

#: Needed as well with Ambassador.
MAPPING_RIGHTS = {"list mappings.getambassador.io": ("list", "getambassador.io", "mappings")}

#: Needed as well if a canary compares answers to golden rows: each predictor gets them through the API
#: server.
GOLDEN_RIGHTS = {"create services/proxy": RIGHT}

_LOOK = (
    "Check the address, the certificate authority and the network; the test runs on Airflow's own server, "
    "not on a worker."
)


class _ShortTransport(Transport):
    """A transport with short timeouts: a user waits at the form."""

    def __init__(self, api_client: ApiClient, **_: Any) -> None:
        super().__init__(api_client, attempts=2, timeout=10.0)


class _Client(SeldonClient):
    transport_class = _ShortTransport

    def is_kubernetes(self) -> bool:
        """Return whether the 404 comes from a Kubernetes API, and not from a proxy or a web site."""
        try:
            return bool(self._transport.request("GET", "/apis").get("kind") == "APIGroupList")
        except (NotFoundError, UnexpectedAnswerError):
            return False

    def serves(self, group_version: str) -> bool:
        """Return whether the cluster serves an API, such as Istio's."""
        try:
            return bool(self._transport.request("GET", group_version).get("resources"))
        except (NotFoundError, UnexpectedAnswerError, ForbiddenError):
            return False


def check(hook: SeldonConnectionHook) -> tuple[bool, str]:
    """See :meth:`SeldonHook.test_connection`; the message says what to do."""
    try:
        return _check(hook)
    except CredentialPluginError as error:
        return False, str(error)
    except UnauthorizedError:
        return False, f"{_server(hook)} did not accept the credentials. Renew the token or the certificate."
    except ForbiddenError as error:
        # How an API server reports a request without any credentials.
        if "system:anonymous" not in str(error):
            return False, str(error)
        return False, f"{_server(hook)} received no credentials. Add a user with a token or a certificate."
    except UnexpectedAnswerError:
        return (
            False,
            f"{_server(hook)} is not a Kubernetes API: something else answers at this address. {_LOOK}",
        )
    except ServerUnavailableError as error:
        return False, f"{_server(hook)} cannot be reached: {_cause(error)}. {_LOOK}"
    except Exception as error:  # whatever it is, the form shows it instead of a stack trace
        return False, str(error)


def _check(hook: SeldonConnectionHook) -> tuple[bool, str]:
    client = _Client(hook.api_client, namespace=hook.namespace)
    if not client.crd_served():
        if not client.is_kubernetes():
            return (
                False,
                f"{_server(hook)} is not a Kubernetes API: something else answers at this address. {_LOOK}",
            )
        return False, (
            f"The cluster at {hook.cluster.configuration.host} answers, but does not serve SeldonDeployments "
            "(machinelearning.seldon.io/v1). Install Seldon Core there, or correct the host or context."
        )
    rights = RIGHTS | SECRET_RIGHTS if hook.storage_connection_id else RIGHTS
    for api, needed in (
        (paths.ISTIO_GROUP_VERSION, ROUTE_RIGHTS),
        (paths.AMBASSADOR_GROUP_VERSION, MAPPING_RIGHTS),
    ):
        rights = rights | needed if client.serves(api) else rights
    if missing := client.missing_rights(rights):
        return False, (
            f"The connection's account lacks, in namespace {hook.namespace}: {', '.join(missing)}. "
            "Bind a role that grants them."
        )
    told = (
        f"Seldon Core answers in namespace {hook.namespace}, and the account has all necessary permissions."
    )
    if without := client.missing_rights(GOLDEN_RIGHTS):
        told += f" Only a canary's GoldenSet needs one more: {', '.join(without)}."
    return True, told


def _cause(error: ServerUnavailableError) -> str:
    """Return the cause, without the advice for readers of a task log."""
    text = str(error)
    return text.partition(" could not be reached (")[2].rpartition("). ")[0] or text


def _server(hook: SeldonConnectionHook) -> str:
    """Return the address of the API server and its source."""
    if hook.cluster.in_cluster:
        source = "the pod's service account"
    elif path := hook.config_file or hook.conn_extras.get("kube_config_path"):
        source = f"kubeconfig {path}"
    else:
        source = "kube_config" if hook.conn_extras.get("kube_config") else "the default kubeconfig"
    return f"The API server {hook.cluster.configuration.host} ({source})"
