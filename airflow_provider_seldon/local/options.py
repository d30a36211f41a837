"""What can be chosen about Seldon Core on this machine."""

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
    """A directory that stands for an object store; its entries are the buckets.

    :param folder: the directory
    :param credentials: the access key and secret key that it accepts; None accepts all
    """

    folder: Path
    credentials: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """Options of :class:`~airflow_provider_seldon.local.cluster.LocalSeldon`; every time is in seconds.

    :param cluster: kubeconfig of a bare API server (kube-apiserver without controllers) to run everything else
        against, instead of an API server in this process; clients still come in by a port of this process
    :param port: port of the API server; 0 picks a free one
    :param gateway_port: port of the ingress gateway; 0 picks a free one
    :param host: address that both listen on
    :param namespace: a namespace that exists from the start and is the kubeconfig's default
    :param token: bearer token that the API server asks for; one is made up where none is given, and None asks for none,
        so that everybody on this machine may do everything. The kubeconfig carries it
    :param tls: serve the API over TLS, with a certificate authority of its own. kubectl sends a kubeconfig's token over
        TLS only
    :param admission: run the rules of Seldon's admission webhook
    :param workdir: where the kubeconfig and the pods' files go; None makes a temporary directory, removed at the end
    :param kubeconfig: where to write the kubeconfig instead of into ``workdir``
    :param kubelet: ``process`` runs containers as processes of this machine, ``simulated`` runs nothing
    :param mlserver_python: a Python with MLServer and its scikit-learn and XGBoost runtimes; default: the
        environment variable ``SELDON_LOCAL_MLSERVER_PYTHON``
    :param images: commands of images that this machine can run, by image name (with or without tag)
    :param volumes: directories that stand for persistent volume claims, by claim name
    :param object_stores: what stands for object stores, by rclone's type (``s3``, ``google cloud storage``)
    :param capacity: what the only node has, per resource; more than that is unschedulable
    :param pod_startup: shortest and longest time until a simulated container is ready
    :param backoff: first wait before a failed container is started again (10 s in a cluster), doubled each time
    :param backoff_limit: longest such wait (300 s in a cluster)
    :param probe_period: how often readiness is probed; initial delays of probes are not waited for
    :param grace: longest wait for a container to end by itself after SIGTERM
    :param drain: how long a pod goes on serving after its deletion was asked for
    :param gateway_user: name and password that the gateway asks for (HTTP basic); None asks for none
    :param gateway_token: bearer token that the gateway asks for; None asks for none
    :param istio: the operator keeps VirtualServices, which the API server then has, and the gateway goes by them; not
        together with ``cluster``
    :param operator_faults: what the operator is slow or wrong about
    :param seed: makes the simulated kubelet's randomness repeatable
    :param lies: former name of ``operator_faults``, still read
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
