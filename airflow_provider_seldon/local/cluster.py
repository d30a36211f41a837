"""Seldon Core on this machine as one object: API server, operator, kubelet and ingress gateway.

:class:`LocalSeldon` is used in two ways: ``await local.start()`` inside an event loop, or as a plain context
manager that runs everything in its own thread::

    with LocalSeldon(LocalOptions(kubelet="simulated")) as local:
        os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = local.airflow_connection()
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_provider_seldon.local.apiserver import ApiServer, RequestLog
from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.http.listener import Listener
from airflow_provider_seldon.local.apiserver.http.proxy import ApiProxy
from airflow_provider_seldon.local.certificates import Certificates, make_certificates
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.controllers.caches import Caches
from airflow_provider_seldon.local.controllers.manager import Controllers
from airflow_provider_seldon.local.external.bootstrap import Bootstrap
from airflow_provider_seldon.local.faults import Faults
from airflow_provider_seldon.local.gateway import Gateway
from airflow_provider_seldon.local.kubeconfig import kubeconfig, write_kubeconfig
from airflow_provider_seldon.local.kubelet.containers.interface import Runtime
from airflow_provider_seldon.local.kubelet.pods.kubelet import Kubelet
from airflow_provider_seldon.local.kubelet.pods.log_source import KubeletLogs
from airflow_provider_seldon.local.kubelet.pods.services import KubeletServices
from airflow_provider_seldon.local.kubelet.runtimes.process_runtime import ProcessRuntime
from airflow_provider_seldon.local.kubelet.runtimes.simulated_runtime import SimulatedRuntime
from airflow_provider_seldon.local.kubelet.traffic.metrics_server import MetricsServer
from airflow_provider_seldon.local.kubelet.traffic.misbehaviour import Misbehaviour, Misbehaviours
from airflow_provider_seldon.local.loop_thread import LoopThread
from airflow_provider_seldon.local.operator_faults import Lies, OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions

__all__ = ["Lies", "LocalOptions", "LocalSeldon", "Misbehaviour", "OperatorFaults"]

_USER = "local-admin"
_CLEANUP = Path(__file__).with_name("cleanup.py")


class LocalSeldon:
    """Seldon Core on this machine, without a cluster.

    :param options: its options; by default it runs models as processes
    """

    def __init__(self, options: LocalOptions | None = None) -> None:
        self.options = options or LocalOptions()
        self._certificates: Certificates | None = None
        if self.options.tls:
            self._certificates = make_certificates(self.options.host)
        self._folder: Path | None = None
        self._owns_folder = False
        self._cleanup: subprocess.Popen[bytes] | None = None
        self._thread: LoopThread | None = None
        self.server: ApiServer | ApiProxy
        self.controllers: Controllers
        self.kubelet: Kubelet
        self.gateway: Gateway
        self._metrics: MetricsServer
        self._entrance: Listener
        self._api: ApiClient
        self._caches: Caches
        self._bootstrap: Bootstrap | None = None

    # -- Addresses, credentials, controls -----------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """Base URL of the API server."""
        return self.server.url

    @property
    def gateway_url(self) -> str:
        """Base URL of the ingress; deployments are below ``/seldon/<namespace>/<name>``."""
        return self.gateway.url

    @property
    def workdir(self) -> Path:
        """Directory of the kubeconfig and the pods' files."""
        if self._folder is None:
            raise RuntimeError("not started")
        return self._folder

    @property
    def kubeconfig_path(self) -> Path:
        """The kubeconfig file, readable by its owner only."""
        return self.options.kubeconfig or self.workdir / "kubeconfig"

    @property
    def kubeconfig(self) -> dict[str, Any]:
        """The kubeconfig as data."""
        return kubeconfig(
            server=self.api_url,
            namespace=self.options.namespace,
            token=self.options.token,
            authority=self._certificates.authority_pem if self._certificates else None,
        )

    @property
    def faults(self) -> Faults:
        """Faults for clients (not for the controllers); may be changed from any thread."""
        return self.server.faults

    @property
    def controller_faults(self) -> Faults:
        """Faults for the operator, the other controllers and the kubelet."""
        return self._entrance.faults

    @property
    def requests(self) -> RequestLog:
        """The requests of clients (not of the controllers)."""
        return self.server.requests

    @property
    def misbehaviours(self) -> Misbehaviours:
        """Faults in the responses of predictors, without a rollout; may be changed from any thread."""
        return self.kubelet.misbehaviours

    def scrape_config(self, *, interval: float = 1.0, job: str = "seldon") -> dict[str, Any]:
        """
        An entry of ``scrape_configs`` in Prometheus' configuration: every pod with an engine is a target.

        Targets have the labels ``namespace`` and ``pod``, as with a PodMonitor. They are refreshed every
        second.

        :param interval: seconds between two scrapes
        """
        milliseconds = f"{max(1, round(interval * 1000))}ms"
        return {
            "job_name": job,
            "scrape_interval": milliseconds,
            "scrape_timeout": milliseconds,
            "http_sd_configs": [{"url": f"{self._metrics.url}/targets", "refresh_interval": "1s"}],
        }

    def airflow_connection(self, **extra: Any) -> str:
        """The connection to this cluster, as JSON for ``AIRFLOW_CONN_SELDON_DEFAULT``.

        :param extra: entries of the connection's ``extra`` to add or replace
        """
        settings = {
            "kube_config_path": str(self.kubeconfig_path),
            "namespace": self.options.namespace,
            "ingress_url": self.gateway_url,
        }
        return json.dumps({"conn_type": "seldon", "extra": settings | extra})

    def pause_operator(self, namespace: str | None = None) -> None:
        """Stop the operator: it reconciles nothing, and statuses do not change.

        :param namespace: only this namespace; None for all
        """
        self._call(lambda: self._operator().pause(namespace))

    def resume_operator(self, namespace: str | None = None) -> None:
        """Start the operator again."""
        self._call(lambda: self._operator().resume(namespace))

    # -- Starting and stopping ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything; stop again if a part fails to start."""
        self._make_folder()
        options = self.options
        self.server = self._make_server()
        token = secrets.token_urlsafe(32)
        self._entrance = self.server.second_door(token)
        try:
            await self.server.start(options.host, options.port)
            await self._entrance.start(options.host)
            self._api = ApiClient(url=self._entrance.url, token=token)
            if options.cluster is not None:
                self._bootstrap = Bootstrap(
                    api=self._api,
                    host=options.host,
                    namespace=options.namespace,
                    capacity=options.capacity,
                    admission=options.admission,
                )
                await self._bootstrap.prepare()
            self._caches = caches = Caches(self._api)
            self.kubelet = Kubelet(api=self._api, caches=caches, options=options, runtime=self._runtime())
            self.gateway = Gateway(caches=caches, kubelet=self.kubelet, options=options)
            self.controllers = Controllers(
                api=self._api,
                caches=caches,
                operator_faults=options.operator_faults,
                garbage=self._bootstrap is not None,
                istio=options.istio,
                route=self.gateway.route,
            )
            self._metrics = MetricsServer(pods=self.kubelet.metrics, host=options.host)
            await self.kubelet.start()
            self.server.service_source = await KubeletServices.of(caches, self.kubelet)
            if self._bootstrap is None:
                self.server.log_source = KubeletLogs(self.kubelet)
            else:
                await self._bootstrap.add_node(self.kubelet)
            await self.gateway.start()
            await self.controllers.start()
            await self._metrics.start()
            write_kubeconfig(self.kubeconfig_path, self.kubeconfig)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything and remove all files; afterwards, the processes of pods have ended."""
        for part in (
            "gateway",
            "_metrics",
            "controllers",
            "kubelet",
            "_bootstrap",
            "_caches",
            "_api",
            "_entrance",
            "server",
        ):
            running = getattr(self, part, None)
            if running is not None:
                await (running.close() if part in ("_caches", "_api") else running.stop())
        if self.options.kubeconfig is not None:
            self.options.kubeconfig.unlink(missing_ok=True)
        if self._folder is not None and self._owns_folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._cleanup is not None and self._cleanup.stdin is not None:
            self._cleanup.stdin.close()
            for _ in range(100):  # it has no more work
                if self._cleanup.poll() is not None:
                    break
                await asyncio.sleep(0.02)

    def __enter__(self) -> LocalSeldon:
        self._thread = LoopThread(name="seldon-local")
        self._thread.start()
        try:
            self._thread.run(self.start())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            try:
                self._thread.run(self.stop())
            finally:
                self._thread.stop()

    def _operator(self) -> Any:
        if self.controllers.operator is None:
            raise RuntimeError("not started")
        return self.controllers.operator

    def _call(self, function: Callable[[], None]) -> None:
        """Run in the loop's thread, from any thread."""
        if self._thread is None:
            function()
        else:
            self._thread.call(function)

    def _make_server(self) -> ApiServer | ApiProxy:
        options = self.options
        tokens = {options.token: _USER} if options.token else {}
        tls = self._certificates.server if self._certificates else None
        if options.cluster is not None:
            if options.istio:
                raise ValueError("istio=True needs the API server of this process: do not set cluster=")
            return ApiProxy(external=ExternalApiServer.of_kubeconfig(options.cluster), tokens=tokens, tls=tls)
        namespaces = tuple(dict.fromkeys(["default", options.namespace]))
        return ApiServer(
            tokens=tokens,
            admission=options.admission,
            namespaces=namespaces,
            istio=options.istio,
            tls=tls,
        )

    def _runtime(self) -> Runtime:
        if self.options.kubelet == "simulated":
            return SimulatedRuntime(self.options)
        return ProcessRuntime(api=self._api, options=self.options, folder=self.workdir / "pods")

    def _make_folder(self) -> None:
        if self.options.workdir is None:
            self._folder = Path(tempfile.mkdtemp(prefix="seldon-local-"))
            self._owns_folder = True
        else:
            self._folder = self.options.workdir
            self._owns_folder = not self._folder.exists()
            self._folder.mkdir(parents=True, exist_ok=True)
        if self._owns_folder:
            self._cleanup = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CLEANUP), str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
