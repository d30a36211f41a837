"""Options of Seldon Core on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Literal

from airflow_provider_seldon.local.operator_faults import OperatorFaults

ENV_MLSERVER_PYTHON = "SELDON_LOCAL_MLSERVER_PYTHON"


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A directory that replaces an object store; its entries are the buckets.

    :param folder: the directory
    :param credentials: the access key and secret key that it accepts; None accepts all
    """

    folder: Path
    credentials: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """Options of :class:`~airflow_provider_seldon.local.cluster.LocalSeldon`; every time is in seconds.

    :param cluster: kubeconfig of a bare API server (kube-apiserver without controllers) to run everything
        else against, instead of an API server in this process; clients still use a port of this process
    :param port: port of the API server; 0 picks a free one
    :param gateway_port: port of the ingress gateway; 0 picks a free one
    :param host: address that both listen on
    :param namespace: a namespace that exists from the start, the default of the kubeconfig
    :param token: bearer token that the API server requires; random by default. With None it requires none, so
        that everybody on this machine may do everything. The kubeconfig contains it
    :param tls: serve the API over TLS, with its own certificate authority. kubectl sends a kubeconfig's token
        over TLS only
    :param admission: run the rules of Seldon's admission webhook
    :param workdir: directory of the kubeconfig and the pods' files; None for a temporary directory, removed
        at the end
    :param kubeconfig: path of the kubeconfig, instead of a file in ``workdir``
    :param kubelet: ``process`` runs containers as processes of this machine, ``simulated`` runs nothing
    :param mlserver_python: a Python with MLServer and its scikit-learn and XGBoost runtimes; default: the
        environment variable ``SELDON_LOCAL_MLSERVER_PYTHON``
    :param images: commands of images that this machine can run, by image name (with or without tag)
    :param volumes: directories that replace persistent volume claims, by claim name
    :param object_stores: replacements of object stores, by rclone's type (``s3``, ``google cloud storage``)
    :param capacity: capacity of the only node, per resource; pods beyond it are unschedulable
    :param pod_startup: shortest and longest time until a simulated container is ready
    :param backoff: first delay before a failed container is restarted (10 s in a cluster), doubled each time
    :param backoff_limit: maximum of that delay (300 s in a cluster)
    :param probe_period: period of readiness probes; initial delays of probes are ignored
    :param grace: maximum time for a container to end after SIGTERM
    :param drain: time for which a pod continues to serve after the request to delete it
    :param gateway_user: name and password that the gateway requires (HTTP basic); None requires none
    :param gateway_token: bearer token that the gateway requires; None requires none
    :param istio: the API server has VirtualServices, which the operator writes and the gateway follows; not
        together with ``cluster``
    :param operator_faults: delays and errors of the operator
    :param seed: makes the simulated kubelet's randomness repeatable
    :param lies: former name of ``operator_faults``, still accepted
    """

    cluster: Path | None = None
    port: int = 0
    gateway_port: int = 0
    host: str = "127.0.0.1"
    namespace: str = "default"
    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    tls: bool = False
    admission: bool = True
    workdir: Path | None = None
    kubeconfig: Path | None = None
    kubelet: Literal["process", "simulated"] = "process"
    mlserver_python: str | None = field(default_factory=lambda: os.environ.get(ENV_MLSERVER_PYTHON))
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    volumes: Mapping[str, Path] = field(default_factory=dict)
    object_stores: Mapping[str, ObjectStore] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(
        default_factory=lambda: {
            "cpu": "1000",
            "memory": "1000Gi",
            "ephemeral-storage": "1000Gi",
            "nvidia.com/gpu": "0",
        }
    )
    pod_startup: tuple[float, float] = (0.05, 0.3)
    backoff: float = 0.2
    backoff_limit: float = 5.0
    probe_period: float = 0.2
    grace: float = 5.0
    drain: float = 0.2
    gateway_user: tuple[str, str] | None = field(default=None, repr=False)
    gateway_token: str | None = field(default=None, repr=False)
    istio: bool = False
    operator_faults: OperatorFaults = field(default_factory=OperatorFaults)
    seed: int | None = None
    lies: InitVar[OperatorFaults | None] = None

    def __post_init__(self, lies: OperatorFaults | None) -> None:
        if lies is not None:
            object.__setattr__(self, "operator_faults", lies)
