"""Deploy a model server, or replace the running one, and wait until the new version is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.rollout.decision import templatable
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.operators.arguments.deploy_arguments import DeployArguments
from airflow_provider_seldon.operators.arguments.manifest_file import ManifestFile, RendersManifestFile
from airflow_provider_seldon.operators.base import SeldonRolloutOperator
from airflow_provider_seldon.operators.unfinished import BREAKING_OFF, leaves_open

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.readiness.outcome import Outcome
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.core.rollout.plan import Adopt, OnNegative, OnNegativeEmpty
    from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.exceptions import StaleRunError


class SeldonDeployModelOperator(DeployArguments, RendersManifestFile, SeldonRolloutOperator):
    """
    Continuous deployment of one model as one task.

    Finds the deployments that earlier runs of this task created for the same model, decides, applies, and
    waits:

    - none yet: creates one;
    - some, and ``replace``: updates the newest in place (its URL stays), and deletes the others once it is
      ready;
    - the same version exists already: writes nothing if a check finds it ready, and waits for it otherwise;
    - another client has changed the deployment: restores it;
    - ``deploy_decision`` is negative: keeps the running version, restarts it if it is down, and creates one
      only if there is none, because a model server must be available at all times (``on_negative``,
      ``on_negative_empty``);
    - the new version does not become ready, or fails its ``smoke_test``: rolls back to the version that was
      last ready, waits for it, and fails with the diagnosis (``on_failure``).

    A retry finds the objects of the earlier try and continues with them. The previous version keeps serving
    until the new version is ready, and when that fails.

    Returns, and pushes as separate XComs: ``name``, ``namespace``, ``model_name``, ``model_uri``,
    ``prediction_url``, ``state``, ``action`` (created, updated, unchanged, reused, restarted, kept), ``revision``,
    ``dag_id``, ``task_id``, ``run_id``, ``decision``. Names, URL and revision are pushed before the wait begins.

    :param model_name: name of the model; together with DAG and task it determines which deployments are
        equivalent.
    :param model_uri: location of the model files (``s3://``, ``gs://``, ``pvc://``, a path for ``local``).
    :param implementation: prepackaged server, such as ``SKLEARN_SERVER``.
    :param protocol: ``seldon`` (default), ``v2`` or ``tensorflow``.
    :param replicas: number of pods. Leave it out where an autoscaler or ``kubectl scale`` decides: the
        deployment then starts with one pod, and later deploys keep the number that they set.
    :param model_server: further fields of
        :class:`~airflow_provider_seldon.core.request.model_server.ModelServer`, such as
        ``parameters``, ``resources``, ``env``, ``secret_name``, ``service_account``, ``image``.
    :param manifest: a whole SeldonDeployment, its spec or a graph instead: dict, YAML text, or a ``.yaml`` file
        (templated).
    :param name: name of the deployment; by default made from DAG, task and model.
    :param deploy_decision: bool, a template or XCom that renders to one, an object of
        :mod:`airflow_provider_seldon.decisions`, or a function of its ``Evidence``.
    :param on_negative: when the decision is negative and a deployment exists: ``ensure_running`` (reuse it,
        restart it if it is down), ``keep`` it as it is, ``skip`` or ``fail`` the task.
    :param on_negative_empty: when the decision is negative and none exists: ``deploy`` anyway, ``skip`` or
        ``fail``.
    :param metrics: metrics of the candidate (name -> number), recorded on the deployment.
    :param replace: False adds a deployment per DAG run instead of replacing.
    :param wait_for_available: wait until the applied version is ready; False returns after the write.
    :param smoke_test: sample requests to the new version once it is ready, before older deployments are
        deleted and before it counts as proven: ``{"data": rows, "expected": rows, "tolerance": 1e-6}``, a
        list of these, or JSON text. Without ``expected``, any prediction passes. No answer fails. Needs
        ``ingress_url``. An unchanged version is tested as well; one that the decision keeps or restarts is
        not. Where the traffic is split, each sample is sent until every predictor that takes traffic has
        answered it. Where the answers do not name their predictor, it is sent often enough that each
        predictor has answered with 99.9 % certainty (at most 500 times), and the log reports that.
    :param on_failure: when the new version does not become ready, or fails its smoke test: ``rollback`` to
        the version that was last ready, if there is one; ``keep`` the new version, for inspection;
        ``delete_if_created``: delete the deployment if this run created it, and roll back otherwise. Only the
        task's own writes are undone.
    :param on_stale: the action of an older run when a newer run has already deployed (the older one was
        cleared, backfilled or retried late), or deploys while the older one waits: ``skip`` the task,
        ``fail`` it, or ``deploy`` anyway.
    :param force_conflicts: take over fields that other field managers own.
    :param adopt: take over a deployment called ``name`` that this provider did not create. The changes are
        logged first, and the previous content is recorded, so that a rollback restores it. A deployment that
        could not be restored (it holds credentials in plain text, or is too large to be recorded) is refused,
        except with ``irreversibly``.
    :param drop_unknown_fields: drop, and log, the fields of a manifest that the cluster's CRD does not
        declare. Without it they fail the task, because the API server refuses to apply them; ``kubectl
        create`` drops them silently.
    :param ttl: seconds, or a ``timedelta``, after which a
        :class:`~airflow_provider_seldon.operators.reaper.SeldonReaperOperator` may delete the deployment; for
        previews. Each deploy with a ``ttl`` restarts it, even if nothing changed or the decision is negative;
        a deploy without one removes it. Rolling back, scaling and aborting leave it as it is. The result then
        has ``expires``. Templated.
    :param kwargs: ``namespace``, ``seldon_conn_id``, ``timeout``, ``deferrable``, ``failure_policy``,
        ``on_kill``, ``dry_run``: see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`;
        and the arguments of every operator.
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
        "smoke_test",
        "ttl",
    )
    template_fields_renderers = {  # noqa: RUF012
        "manifest": "yaml",
        "model_server": "json",
        "metrics": "json",
        "smoke_test": "json",
    }
    ui_color = "#e8f4ea"
    rules = {  # noqa: RUF012
        **SeldonRolloutOperator.rules,
        **argument_rules.of(
            *(
                "model_name",
                "model_uri",
                "implementation",
                "protocol",
                "replicas",
                "model_server",
                "manifest",
            ),
            *("deploy_decision", "on_negative", "on_negative_empty", "metrics", "replace"),
            *("wait_for_available", "smoke_test", "on_failure", "on_stale", "force_conflicts", "adopt"),
            *("drop_unknown_fields", "ttl"),
            # ``core.identity.object_name`` checks the name of a new deployment.
            name=argument_rules.OPTIONAL_TEXT,
        ),
    }

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
        deploy_decision: Any = True,
        on_negative: OnNegative = "ensure_running",
        on_negative_empty: OnNegativeEmpty = "deploy",
        metrics: Mapping[str, float] | str | None = None,
        replace: bool = True,
        wait_for_available: bool = True,
        smoke_test: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | None = None,
        on_failure: Literal["rollback", "keep", "delete_if_created"] = "rollback",
        on_stale: Literal["skip", "fail", "deploy"] = "skip",
        force_conflicts: bool = False,
        adopt: Adopt = False,
        drop_unknown_fields: bool = False,
        ttl: float | timedelta | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.model_uri = model_uri
        self.implementation = implementation
        self.protocol = protocol
        self.replicas = replicas
        self.model_server = model_server
        self.manifest = ManifestFile.of(manifest)
        self.name = name
        self.deploy_decision = templatable(deploy_decision)
        self.on_negative = on_negative
        self.on_negative_empty = on_negative_empty
        self.metrics = metrics
        self.replace = replace
        self.wait_for_available = wait_for_available
        self.smoke_test = smoke_test
        self.on_failure = on_failure
        self.on_stale = on_stale
        self.force_conflicts = force_conflicts
        self.adopt = adopt
        self.drop_unknown_fields = drop_unknown_fields
        self.ttl = ttl
        self.check_literals()
        if smoke_test not in (None, "", [], {}) and not wait_for_available:
            raise InvalidModelServerError.of(
                type(self).__name__, "smoke_test needs wait_for_available: only a ready version can answer"
            )

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy and wait; see the class."""
        from airflow_provider_seldon.core.prediction.sample_request import ensure_sendable

        self.check_arguments()
        server = self._server()
        self.namespace = self.namespace or server.namespace
        if samples := self._samples():
            self._read(lambda given: ensure_sendable(given, server.sent_protocol), samples)
            self.hook.ingress.require_url()
        rollout = self._deploy(context, server)
        if self.is_dry_run:
            return self.dry_run_result(rollout)
        self.announce_write(context, rollout)
        if not rollout.in_flight:
            return self._finish(rollout, self._serving(rollout), None)
        if self.wait_for_available:
            return self.wait_for(rollout)
        return self.result(rollout)

    def verify(self, rollout: Rollout, outcome: Outcome) -> Outcome:
        """Send the smoke test, except to a version that the decision keeps: the test is for another one."""
        from airflow_provider_seldon.core.rollout.plan import Action
        from airflow_provider_seldon.delivery.prediction.smoke_test import SmokeTest

        samples = self._samples()
        if samples and rollout.action in {Action.RESTART, Action.REUSE, Action.KEEP}:
            self.log.info(
                "%s is %s; the smoke test is for another version and is not sent",
                rollout.name,
                rollout.action,
            )
            return outcome
        if not samples:
            return outcome
        return SmokeTest(self.hook.target, samples).judge(outcome)

    def undo(self, rollout: Rollout) -> Rollout | None:
        """Apply ``on_failure``."""
        if self.on_failure == "keep":
            return None
        return self.hook.undo(rollout, delete_created=self.on_failure == "delete_if_created")

    def stale(self, error: StaleRunError) -> None:
        """Apply ``on_stale``; with ``deploy``, a retry deploys again."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        if self.on_stale == "skip":
            raise AirflowSkipException(str(error)) from error
        if self.on_stale == "fail":
            raise error

    def _serving(self, rollout: Rollout) -> Outcome:
        """Return the outcome of a deploy that found the version ready: the hook has checked it."""
        from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome

        info = rollout.info
        return Outcome(ending=Ending.READY, name=rollout.name, namespace=info.namespace, state=info.state)

    def _deploy(self, context: Context, server: ModelServer) -> Rollout:
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from airflow_provider_seldon.exceptions import StaleRunError, TurnedDownError

        request = self._request(context, server)
        try:
            return self.hook.deploy(request)
        except StaleRunError as error:
            self.stale(error)
            raise
        except TurnedDownError as error:
            if error.skip:
                raise AirflowSkipException(str(error)) from error
            raise
        except BREAKING_OFF as error:
            if leaves_open(error):
                self._undo_unanswered(request, error)
            raise

    def _undo_unanswered(self, request: DeployRequest, error: BaseException) -> None:
        """Undo a write that was stored although its response was lost. Raises nothing."""
        try:
            rollout = self.hook.stored_by(request)
        except BREAKING_OFF as problem:
            error.add_note(f"It is unknown whether its write was stored: {type(problem).__name__}: {problem}")
            return
        if rollout is not None:
            self.undo_broken_off(rollout, error)
