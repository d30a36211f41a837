"""
All paths of the Kubernetes API that this provider requests, from checked and quoted parts.

:raises InvalidModelServerError: (all functions) a name is invalid.
:raises ConnectionConfigError: (all functions) the namespace is invalid.
"""

from __future__ import annotations

from airflow_provider_seldon.core.children.expected import ID_LABEL
from airflow_provider_seldon.core.identity.object_name import checked_name, checked_namespace
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import GROUP, PLURAL, VERSION
from airflow_provider_seldon.exceptions import ConnectionConfigError, InvalidModelServerError

#: The group version, for discovery.
GROUP_VERSION = f"/apis/{GROUP}/{VERSION}"
#: Istio's API in the version that Seldon's operator writes; later versions of Istio serve it, too.
ISTIO_GROUP_VERSION = "/apis/networking.istio.io/v1alpha3"
#: Ambassador's API (Emissary) in the version that Seldon's operator writes.
AMBASSADOR_GROUP_VERSION = "/apis/getambassador.io/v2"
#: Path for checks of the account's own permissions.
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def seldon_deployments(namespace: str, name: str | None = None) -> str:
    """Return the path of a namespace's SeldonDeployments, or of one of them."""
    return _object(f"{GROUP_VERSION}/namespaces/{_namespace(namespace)}/{PLURAL}", name)


def all_seldon_deployments() -> str:
    """Return the path of the SeldonDeployments of every namespace."""
    return f"{GROUP_VERSION}/{PLURAL}"


def virtual_service(namespace: str, name: str) -> str:
    """Return the path of the VirtualService of a SeldonDeployment, which Seldon's operator writes with Istio."""
    return _object(f"{ISTIO_GROUP_VERSION}/namespaces/{_namespace(namespace)}/virtualservices", name)


def mappings(namespace: str) -> str:
    """Return the path of a namespace's Mappings, with Ambassador."""
    return f"{AMBASSADOR_GROUP_VERSION}/namespaces/{_namespace(namespace)}/mappings"


def routes(namespace: str, deployment: str) -> list[tuple[str, dict[str, str]]]:
    """
    Return where the routes of a deployment may be: paths and queries; the first non-empty one counts.

    :param deployment: value of the label ``seldon-deployment-id``.
    """
    return [
        (virtual_service(namespace, deployment), {}),
        (mappings(namespace), {"labelSelector": f"{ID_LABEL}={deployment}"}),
    ]


def deployments(namespace: str) -> str:
    """Return the path of a namespace's Deployments."""
    return f"/apis/apps/v1/namespaces/{_namespace(namespace)}/deployments"


def pods(namespace: str) -> str:
    """Return the path of a namespace's pods."""
    return f"/api/v1/namespaces/{_namespace(namespace)}/pods"


def pod_log(namespace: str, pod: str) -> str:
    """Return the path of a pod's log."""
    return f"{_object(pods(namespace), pod)}/log"


def events(namespace: str) -> str:
    """Return the path of a namespace's events."""
    return f"/api/v1/namespaces/{_namespace(namespace)}/events"


def secrets(namespace: str, name: str | None = None) -> str:
    """Return the path of a namespace's Secrets, or of one of them."""
    return _object(f"/api/v1/namespaces/{_namespace(namespace)}/secrets", name)


def service_proxy(namespace: str, service: str, port: str, below: str) -> str:
    """
    Return the path of a request through the API server to the backend of a Service.

    :param port: name of the Service's port.
    :param below: path of that request, quoted, with its leading slash.
    """
    return f"{_object(f'/api/v1/namespaces/{_namespace(namespace)}/services', service)}:{port}/proxy{below}"


def checked(name: str) -> str:
    """Return a valid name, for a selector."""
    problem = ""
    try:
        return checked_name(name)
    except InvalidRequestError as error:
        problem = str(error)
    raise InvalidModelServerError(problem)


def _namespace(namespace: str) -> str:
    problem = ""
    try:
        return checked_namespace(namespace)
    except InvalidRequestError as error:
        problem = str(error)
    raise ConnectionConfigError(problem)


def _object(collection: str, name: str | None) -> str:
    return collection if name is None else f"{collection}/{checked(name)}"
