"""
Where the cluster is and how to be let in: one resolution for the synchronous and the asynchronous half.

An Airflow connection becomes :class:`ClusterSettings`, and those become a ``kubernetes.client.Configuration``
of their own. The process-wide default configuration is neither read nor changed, so two connections in one
process (a triggerer has hundreds) never mix one cluster's address with another's token
(apache/airflow #65566).

Explicit beats implicit: a kubeconfig or a context that the user names is used inside a pod too; only when
nothing is named, the pod's own service account is tried first and the default kubeconfig after it.
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
    What a connection says about the cluster.

    :param in_cluster: use the pod's service account.
    :param kube_config_path: path of a kubeconfig file.
    :param kube_config: a kubeconfig itself, as JSON or YAML text or as a mapping.
    :param context: context of the kubeconfig; its current one when None.
    :param verify_ssl: check the API server's certificate.
    :param namespace: namespace of the connection; see :func:`load` for what applies when None.
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
                f"kube_config is a {type(given).__name__}, not a kubeconfig; give one mapping, as JSON or YAML"
            )
        if given:
            text = given if isinstance(given, str) else json.dumps(dict(given), default=str)
            object.__setattr__(self, "kube_config", SecretText(text))


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """
    A resolved cluster.

    :param configuration: of the official client; holds credentials, so it is not shown by ``repr``.
    :param namespace: namespace that applies when a call names none.
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
    ``default``, as kubectl has it.

    :raises ConnectionConfigError: nothing usable was found; the text says what was tried.
    :raises CredentialPluginError: the exec plugin of the kubeconfig gave no credentials.
    """
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from yaml import YAMLError

    configuration = Configuration()
    problem = ""
    try:
        cluster = _load(settings, configuration)
    except ConfigException as error:
        problem = str(error).partition("{")[0]  # the client's own text may go on with the whole entry
    except ConnectionConfigError as error:
        problem = str(error)
    except SeldonError:
        raise
    except OSError as error:
        problem = str(error)
    except UnicodeError:
        problem = "a login or a password holds characters that no HTTP header carries"
    except (ValueError, YAMLError) as error:
        # The parser's own text may quote the kubeconfig, and with it a credential.
        problem = f"it is neither valid YAML nor JSON ({type(error).__name__})"
    except Exception as error:  # the client takes much for granted of what is in a kubeconfig
        problem = f"it is no valid kubeconfig ({type(error).__name__})"
    if problem:
        # Raised from here, because an error that is being handled stays attached, with all that it knows.
        raise ConnectionConfigError(f"{_tried(settings)}: {problem}")
    if not settings.verify_ssl:
        configuration.verify_ssl = False
    # Retries are decided in one place, kube/requests/transport.py; the connection pool must not repeat a write.
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
        "The connection names no cluster, this process runs in no pod, and there is no default kubeconfig; "
        "set in_cluster, kube_config_path or kube_config in the connection"
    )
