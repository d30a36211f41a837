"""
Resolve the cluster's address and credentials, once for the synchronous and the asynchronous half.

An Airflow connection becomes :class:`ClusterSettings`, and those become a separate
``kubernetes.client.Configuration``. The process-wide default configuration is neither read nor changed, so
two connections in one process (a triggerer has hundreds) never mix one cluster's address with another's token
(apache/airflow #65566).

Explicit settings take precedence: a kubeconfig or a context that the user gives is used inside a pod too.
Only without any setting, the pod's own service account is tried first, then the default kubeconfig.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.credentials.text import SecretText
from airflow_provider_seldon.exceptions import ConnectionConfigError, SeldonError
from airflow_provider_seldon.kube.access.credentials import guard
from airflow_provider_seldon.kube.access.key_files import FOLDER

if TYPE_CHECKING:
    from kubernetes.client import Configuration

#: Where Kubernetes mounts a pod's namespace (Kubernetes documentation, "Accessing the API from a Pod").
SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """
    A connection's settings of the cluster.

    :param in_cluster: use the pod's service account.
    :param kube_config_path: path of a kubeconfig file.
    :param kube_config: a kubeconfig itself, as JSON or YAML text or as a mapping.
    :param context: context of the kubeconfig; its current context when None.
    :param verify_ssl: check the API server's certificate.
    :param namespace: namespace of the connection; see :func:`load` for the default.
    """

    in_cluster: bool = False
    kube_config_path: str | None = None
    kube_config: str | Mapping[str, Any] | None = field(default=None, repr=False)
    context: str | None = None
    verify_ssl: bool = True
    namespace: str | None = None

    def __post_init__(self) -> None:
        chosen = [name for name in ("in_cluster", "kube_config_path", "kube_config") if getattr(self, name)]
        if len(chosen) > 1:
            raise ConnectionConfigError(
                f"The connection sets {' and '.join(chosen)}; they exclude each other. Keep one of them."
            )
        given = self.kube_config
        if given and not isinstance(given, str | Mapping):
            raise ConnectionConfigError(
                f"kube_config is a {type(given).__name__}, not a kubeconfig; give one mapping, as JSON or "
                "YAML"
            )
        if given:
            text = given if isinstance(given, str) else json.dumps(dict(given), default=str)
            object.__setattr__(self, "kube_config", SecretText(text))


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """
    A resolved cluster.

    :param configuration: that of the official client; contains credentials, so ``repr`` does not show it.
    :param namespace: namespace for calls without one.
    :param in_cluster: whether the pod's service account is used.
    """

    configuration: Configuration
    namespace: str
    in_cluster: bool

    def __repr__(self) -> str:
        return f"Cluster(host={self.configuration.host!r}, namespace={self.namespace!r})"


def load(settings: ClusterSettings) -> Cluster:
    """
    Resolve the settings; reads files and may run a kubeconfig's exec plugin.

    The namespace is the connection's, else the service account's or the kubeconfig context's, else
    ``default``, as in kubectl.

    :raises ConnectionConfigError: nothing usable was found; the message says what was tried.
    :raises CredentialPluginError: the exec plugin of the kubeconfig returned no credentials.
    """
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from yaml import YAMLError

    configuration = Configuration()
    problem = ""
    try:
        cluster = _load(settings, configuration)
    except ConfigException as error:
        problem = str(error).partition("{")[0]  # the client's own text may continue with the whole entry
    except ConnectionConfigError as error:
        problem = str(error)
    except SeldonError:
        raise
    except OSError as error:
        problem = str(error)
    except UnicodeError:
        problem = "a login or a password has characters that are not allowed in an HTTP header"
    except (ValueError, YAMLError) as error:
        # The parser's own text may quote the kubeconfig, and with it a credential.
        problem = f"it is neither valid YAML nor JSON ({type(error).__name__})"
    except Exception as error:  # the client hardly validates a kubeconfig
        problem = f"it is not a valid kubeconfig ({type(error).__name__})"
    if problem:
        # Raised here, because an error that is being handled stays attached, with all its content.
        raise ConnectionConfigError(f"{_tried(settings)}: {problem}")
    if not settings.verify_ssl:
        configuration.verify_ssl = False
    # Only kube/requests/transport.py retries; the connection pool must not repeat a write.
    configuration.retries = False
    guard(configuration)
    return cluster


def _load(settings: ClusterSettings, configuration: Configuration) -> Cluster:
    from kubernetes.config import ConfigException

    if settings.in_cluster:
        return _in_cluster(settings, configuration)
    if settings.kube_config_path or settings.kube_config or settings.context:
        return _from_kube_config(settings, configuration)
    try:
        return _in_cluster(settings, configuration)
    except ConfigException:
        return _from_kube_config(settings, configuration)


def _in_cluster(settings: ClusterSettings, configuration: Configuration) -> Cluster:
    from kubernetes.config import load_incluster_config

    load_incluster_config(client_configuration=configuration)
    namespace = settings.namespace
    if not namespace and SERVICE_ACCOUNT_NAMESPACE.exists():
        namespace = SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
    return Cluster(configuration=configuration, namespace=namespace or DEFAULT_NAMESPACE, in_cluster=True)


def _from_kube_config(settings: ClusterSettings, configuration: Configuration) -> Cluster:
    from airflow_provider_seldon.kube.access import kube_config

    given = kube_config.read(
        configuration,
        path=settings.kube_config_path,
        inline=str(settings.kube_config) if settings.kube_config else None,
        context=settings.context,
        temporary=str(FOLDER.path()),
    )
    namespace = settings.namespace or given or DEFAULT_NAMESPACE
    return Cluster(configuration=configuration, namespace=namespace, in_cluster=False)


def _tried(settings: ClusterSettings) -> str:
    if settings.in_cluster:
        return "in_cluster is set, but this process does not run in a pod with a service account"
    if settings.kube_config_path:
        return f"The kubeconfig {settings.kube_config_path} (kube_config_path) cannot be used"
    if settings.kube_config:
        return "The kubeconfig in the connection (kube_config) cannot be used"
    if settings.context:
        return f"The context {settings.context} (cluster_context) is not usable in the default kubeconfig"
    return (
        "The connection names no cluster, this process does not run in a pod, and there is no default "
        "kubeconfig; set in_cluster, kube_config_path or kube_config in the connection"
    )
