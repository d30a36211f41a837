"""Deploy a model server, or replace the one that serves, and wait until it really serves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.fence import OrderToken
    from airflow_provider_seldon.core.identity import Identity
    from airflow_provider_seldon.core.info import ModelServerInfo
    from airflow_provider_seldon.core.model_server import ModelServer
    from airflow_provider_seldon.core.outcome import Outcome
    from airflow_provider_seldon.hooks.deployer import Rollout
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: Seconds by which the framework's own time limit lies behind ours, so that ours is the one that is told.
BACKSTOP = 60.0


class SeldonDeployModelOperator(BaseOperator):
    """
    Continuous deployment of one model as one task.

    Finds the deployments that earlier runs of this task made for the same model, decides, applies, and waits:

    - none yet: creates one;
    - some, and ``replace``: updates the newest in place (its URL stays), and deletes the others once it serves;
    - the very same version serves already: writes nothing;
    - ``deploy_decision`` is no: keeps what serves, restarts it where it is down, and creates one only if there is
      none at all, because a model server is to be available at all times.

    A retry finds what the earlier try made and goes on with it. What served before keeps serving until the new
    version does, and when that fails.

    Returns, and pushes as separate XComs: ``name``, ``namespace``, ``model_name``, ``model_uri``,
    ``prediction_url``, ``state``, ``action`` (created, updated, unchanged, reused, restarted), ``revision``,
    ``dag_id``, ``task_id``, ``run_id``. Name and URL are pushed before the wait begins.

    :param model_name: name of the model; together with DAG and task it says which deployments are equivalent.
    :param model_uri: where the model files are (``s3://``, ``gs://``, ``pvc://``, a path for ``local``).
    :param implementation: prepackaged server, such as ``SKLEARN_SERVER``.
    :param protocol: ``seldon`` (default), ``v2`` or ``tensorflow``.
    :param replicas: pods; leave it out where an autoscaler decides.
    :param model_server: further fields of :class:`~airflow_provider_seldon.core.model_server.ModelServer`, such as
        ``parameters``, ``resources``, ``env``, ``secret_name``, ``service_account``, ``image``.
    :param manifest: a whole SeldonDeployment, its spec or a graph instead: dict, YAML text, or a ``.yaml`` file
        (templated).
    :param name: name of the deployment; made from DAG, task and model when left out.
    :param namespace: namespace; the connection's when left out.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param deploy_decision: bool, or a template or XCom that renders to one.
    :param replace: False adds a deployment per DAG run instead of replacing.
    :param metrics: metrics of the candidate (name -> number), recorded on the deployment.
    :param wait_for_available: wait until the applied version serves; False returns after the write.
    :param timeout: seconds to wait.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param failure_policy: what fails a rollout before the time is over, where it should differ from the defaults:
        fields of :class:`~airflow_provider_seldon.core.failure.FailurePolicy`.
    :param on_stale: what an older run does when a newer one has deployed already, because it was cleared,
        backfilled or retried late: ``skip`` the task, ``fail`` it, or ``deploy`` all the same.
    :param force_conflicts: take over fields that other field managers own.
    :param adopt: take over a deployment called ``name`` that this provider did not make.
    """

    template_fields: Sequence[str] = (
        "model_name",
        "model_uri",
        "implementation",
        "protocol",
        "replicas",
        "model_server",
        "manifest",
        "name",
        "namespace",
        "seldon_conn_id",
        "deploy_decision",
        "metrics",
    )
    template_ext: Sequence[str] = (".yaml", ".yml")
    template_fields_renderers = {"manifest": "yaml", "model_server": "json", "metrics": "json"}  # noqa: RUF012
    ui_color = "#e8f4ea"

    def __init__(
        self,
        *,
        model_name: str | None = None,
        model_uri: str | None = None,
        implementation: str | None = None,
        protocol: str | None = None,
        replicas: int | str | None = None,
        model_server: Mapping[str, Any] | None = None,
        manifest: Mapping[str, Any] | str | None = None,
        name: str | None = None,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        deploy_decision: Any = True,
        replace: bool = True,
        metrics: Mapping[str, float] | str | None = None,
        wait_for_available: bool = True,
        timeout: float = 600.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        failure_policy: Mapping[str, Any] | None = None,
        on_stale: Literal["skip", "fail", "deploy"] = "skip",
        force_conflicts: bool = False,
        adopt: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.model_name = model_name
        self.model_uri = model_uri
        self.implementation = implementation
        self.protocol = protocol
        self.replicas = replicas
        self.model_server = model_server
        self.manifest = manifest
        self.name = name
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.deploy_decision = deploy_decision
        self.replace = replace
        self.metrics = metrics
        self.wait_for_available = wait_for_available
        self.timeout = timeout
        self.deferrable = deferrable
        self.failure_policy = failure_policy
        self.on_stale = on_stale
        self.force_conflicts = force_conflicts
        self.adopt = adopt

    @cached_property
    def hook(self) -> SeldonHook:
        """The hook of ``seldon_conn_id`` in ``namespace``."""
        from airflow_provider_seldon.hooks.seldon import SeldonHook

        return SeldonHook(self.seldon_conn_id, namespace=self.namespace or None)

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy and wait; see the class."""
        server = self._server()
        self.namespace = self.namespace or server.namespace
        rollout = self._deploy(context, server)
        self._announce(context, rollout)
        if not (rollout.in_flight and self.wait_for_available):
            return self._result(rollout, rollout.info)
        deadline = time.time() + self.timeout
        if self.deferrable:
            self._defer(rollout, deadline)
        outcome = self.hook.wait_for(
            rollout.name, expected=rollout.expected, deadline=deadline, failure_policy=self.failure_policy
        )
        return self._finish(rollout, outcome)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on after the deferral with what the trigger reported."""
        from airflow_provider_seldon.core.outcome import Outcome
        from airflow_provider_seldon.hooks.deployer import Rollout

        outcome = Outcome.from_json(event)
        self.namespace = outcome.namespace
        return self._finish(Rollout.from_json(event["handoff"]), outcome)

    def _deploy(self, context: Context, server: ModelServer) -> Rollout:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_seldon.exceptions import StaleRunError

        try:
            return self.hook.deploy_model(
                server,
                identity=self._identity(context, server),
                deploy=self._decision(),
                replace=self.replace,
                metrics=self._metrics(),
                force_conflicts=self.force_conflicts,
                adopt=self.adopt,
                order=self._order(context),
                fence=self.on_stale != "deploy",
            )
        except StaleRunError as error:
            if self.on_stale == "skip":
                raise AirflowSkipException(str(error)) from error
            raise

    def _defer(self, rollout: Rollout, deadline: float) -> None:
        from datetime import timedelta

        from airflow_provider_seldon.triggers.deployment import SeldonDeploymentTrigger

        self.defer(
            trigger=SeldonDeploymentTrigger(
                seldon_conn_id=self.seldon_conn_id,
                namespace=self.hook.namespace,
                name=rollout.name,
                expected=rollout.expected.to_json(),
                deadline=deadline,
                failure_policy=self.failure_policy,
                # dag.test() hands only the event to the resumed method, so everything travels with it.
                handoff=rollout.to_json(),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, deadline - time.time()) + BACKSTOP),
        )

    def _finish(self, rollout: Rollout, outcome: Outcome) -> dict[str, Any]:
        self.hook.raise_for_outcome(outcome)
        self.hook.complete(rollout)
        return self._result(rollout, dataclasses.replace(rollout.info, state=outcome.state))

    def _result(self, rollout: Rollout, info: ModelServerInfo) -> dict[str, Any]:
        self.log.info(
            "%s %s/%s: %s", info.action, info.namespace, info.name, info.prediction_url or info.state
        )
        return info.to_dict()

    def _announce(self, context: Context, rollout: Rollout) -> None:
        """Push what identifies the deployment before waiting, so that it is known if the task dies now."""
        if not self.do_xcom_push:
            return
        for key in ("name", "namespace", "prediction_url"):
            context["ti"].xcom_push(key=key, value=getattr(rollout.info, key))

    def _server(self) -> ModelServer:
        from airflow_provider_seldon.core.errors import InvalidRequestError
        from airflow_provider_seldon.core.model_server import ModelServer
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        given = {
            field: getattr(self, field)
            for field in (
                "model_name",
                "model_uri",
                "implementation",
                "protocol",
                "replicas",
                "manifest",
                "name",
            )
            if getattr(self, field) not in (None, "")
        }
        try:
            return ModelServer.create(**{**(self.model_server or {}), **given})
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None

    def _identity(self, context: Context, server: ModelServer) -> Identity:
        from airflow_provider_seldon.core.identity import Identity

        task_instance = context["ti"]
        return Identity(
            dag_id=task_instance.dag_id,
            task_id=task_instance.task_id,
            model_name=server.model_name,
            run_id=task_instance.run_id,
            map_index=task_instance.map_index if task_instance.map_index is not None else -1,
        )

    def _order(self, context: Context) -> OrderToken | None:
        from airflow_provider_seldon.core.fence import OrderToken

        run = context["dag_run"]
        moment = run.logical_date or getattr(run, "run_after", None)
        return OrderToken.of(moment, run.run_id) if moment else None

    def _decision(self) -> bool:
        from airflow_provider_seldon.core.decision import parse_decision
        from airflow_provider_seldon.core.errors import InvalidRequestError
        from airflow_provider_seldon.exceptions import DeployDecisionError

        try:
            return parse_decision(self.deploy_decision)
        except InvalidRequestError as error:
            raise DeployDecisionError(str(error)) from None

    def _metrics(self) -> dict[str, float] | None:
        import json

        metrics = json.loads(self.metrics) if isinstance(self.metrics, str) and self.metrics else self.metrics
        return {key: float(value) for key, value in metrics.items()} if isinstance(metrics, Mapping) else None
