"""
The Seldon hook: access to the SeldonDeployments of a cluster through an Airflow connection.

Its methods are those of a model deployer: deploy, find, inspect, scale, delete, predict, read logs.
``core.rollout.plan`` decides what to do. This module reads what the decision needs from the cluster and
carries it out, in an order that can be interrupted anywhere: no running version is deleted or scaled down
before its successor is ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Outcome
from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.rollout.fence import OrderToken
from airflow_provider_seldon.delivery.rollout.claims import overtaken
from airflow_provider_seldon.delivery.rollout.completion import Completion
from airflow_provider_seldon.delivery.rollout.deploy import Deployer
from airflow_provider_seldon.delivery.rollout.deploy_request import DeployRequest
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.delivery.rollout.lost_answer import stored_by
from airflow_provider_seldon.delivery.rollout.restore import Restore
from airflow_provider_seldon.delivery.rollout.single_look import SingleLook
from airflow_provider_seldon.delivery.rollout.undeclared_fields import with_declared_fields
from airflow_provider_seldon.delivery.waiting.wait import Waiter, raise_for
from airflow_provider_seldon.delivery.waves.run_undo import RunUndo, Undone
from airflow_provider_seldon.hooks import connection_form
from airflow_provider_seldon.hooks.argument_checks import checked, instance
from airflow_provider_seldon.hooks.connection_test import check
from airflow_provider_seldon.hooks.inventory import InventoryHook
from airflow_provider_seldon.hooks.prediction import PredictionHook
from airflow_provider_seldon.hooks.prometheus import assess

if TYPE_CHECKING:
    from airflow_provider_seldon.core.rollout.plan import Adopt, OnNegative, OnNegativeEmpty
    from airflow_provider_seldon.exceptions import StaleRunError

_ORDER = instance(OrderToken, optional=True)
_ROLLOUT = instance(Rollout)


class SeldonHook(InventoryHook, PredictionHook):
    """
    Access to Seldon Core in one namespace of a cluster.

    The connection has type ``seldon``; a plain Kubernetes connection works as well, without predictions. Its
    extra fields are those of a Kubernetes connection (``in_cluster``, ``kube_config_path``, ``kube_config``,
    ``cluster_context``, ``namespace``, ``disable_verify_ssl``, ``disable_tcp_keepalive``) and:

    - ``ingress_url``: base URL of the ingress gateway; ``ingress_host_header``, ``ingress_verify`` (true, false
      or a CA bundle's path), ``ingress_token`` (bearer), or the connection's login and password (basic);
    - ``storage_env_from``: name of an existing Secret with rclone settings, used for model servers that name
      none;
    - ``storage_conn_id``: id of an Airflow connection whose credentials become such a Secret.

    ``storage_env_from`` has this name because Airflow masks, in every log, the value of a field whose name
    contains "secret".

    :param seldon_conn_id: the Airflow connection. If ``seldon_default`` does not exist, the pod's service
        account or the default kubeconfig is used.
    :param namespace: overrides the connection's namespace.
    :param connection: the connection itself, if it has already been fetched.
    :param dry_run: the API server checks every write, and stores none; see :meth:`dry_run_changes`.

    For ``cluster_context``, ``config_file``, ``config_dict``, ``in_cluster``, ``disable_verify_ssl`` and
    ``disable_tcp_keepalive``, and for clients of the Kubernetes API, see :class:`SeldonConnectionHook`.
    """

    conn_name_attr = "seldon_conn_id"
    default_conn_name = "seldon_default"
    conn_type = "seldon"
    hook_name = "Seldon Core"

    # Airflow 2.11 looks for these two on the class itself; inherited ones are ignored.
    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form, for Airflow 2.11."""
        return connection_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the standard fields of the connection form look, for Airflow 2.11."""
        return connection_form.behaviour()

    def test_connection(self) -> tuple[bool, str]:
        """Check that the cluster responds, serves SeldonDeployments, and grants the necessary permissions."""
        return check(self)

    @checked(server=instance(ModelServer), identity=instance(Identity), order=_ORDER)
    def deploy_model(
        self,
        server: ModelServer,
        *,
        identity: Identity,
        deploy: Any = True,
        replace: bool = True,
        metrics: Mapping[str, float] | None = None,
        force_conflicts: bool = False,
        adopt: Adopt = False,
        order: OrderToken | None = None,
        fence: bool = True,
        on_negative: OnNegative = "ensure_running",
        on_negative_empty: OnNegativeEmpty = "deploy",
        retry: bool = False,
        drop_unknown_fields: bool = False,
        ttl: float | None = None,
    ) -> Rollout:
        """
        Deploy a model server as ``core.rollout.plan`` decides, without waiting for it.

        :param server: the desired model server.
        :param identity: the DAG task that deploys; its earlier deployments are the equivalents.
        :param deploy: the decision: a bool, or an object of :mod:`airflow_provider_seldon.decisions`.
        :param replace: update the newest equivalent in place (its URL stays) instead of adding another.
        :param metrics: metrics of the candidate, recorded on the deployment.
        :param force_conflicts: take over fields that other managers own.
        :param adopt: take over a deployment of the given name that this provider did not create, if it can be
            restored; ``irreversibly``: even if it cannot.
        :param order: place of this deploy in the order of runs; recorded.
        :param fence: refuse to replace what a deploy with a later place has deployed.
        :param on_negative: what a negative decision does if a deployment exists, see ``core.rollout.plan``.
        :param on_negative_empty: the same if none exists.
        :param retry: this is not the run's first try, so what an earlier try did counts as done by this one.
        :param drop_unknown_fields: drop, and log, fields of a manifest that the cluster's CRD does not
            declare.
        :param ttl: seconds after which the deployment may be deleted; None keeps it.
        :returns: what was done; pass it to :meth:`complete` when it serves.
        :raises InvalidModelServerError: the request is wrong; nothing was sent.
        :raises UndeclaredFieldsError: the cluster's CRD lacks fields of the request.
        :raises NotManagedError: a deployment of that name is not managed by this provider.
        :raises StaleRunError: a newer run has deployed already.
        :raises TurnedDownError: the decision is negative, and nothing was done.
        """
        return self.deploy(
            DeployRequest(
                server=server,
                identity=identity,
                deploy=deploy,
                replace=replace,
                metrics=metrics,
                force_conflicts=force_conflicts,
                adopt=adopt,
                order=order,
                fence=fence,
                on_negative=on_negative,
                on_negative_empty=on_negative_empty,
                retry=retry,
                drop_unknown_fields=drop_unknown_fields,
                ttl=ttl,
                assess=assess,
            )
        )

    @checked(request=instance(DeployRequest))
    def deploy(self, request: DeployRequest) -> Rollout:
        """Do the same as :meth:`deploy_model`, with its arguments as one request whose fields are checked."""
        return with_declared_fields(Deployer(self.target).deploy, request)

    @checked(request=instance(DeployRequest))
    def stored_by(self, request: DeployRequest) -> Rollout | None:
        """
        Return the rollout that a :meth:`deploy` began before it raised; None if it began none.

        For :meth:`undo`, after an error or an alarm between the write and its response.
        """
        return stored_by(self.target, request)

    @checked(rollout=_ROLLOUT)
    def complete(self, rollout: Rollout) -> list[str]:
        """
        Record that a rollout is ready, and delete the deployments that it supersedes.

        Call it only after a successful wait.

        :returns: names of the deleted deployments.
        """
        return Completion(self.target).complete(rollout)

    @checked(rollout=_ROLLOUT, ready=instance(Outcome))
    def still_serves(self, rollout: Rollout, ready: Outcome) -> Outcome | None:
        """
        Check once more, by fresh reads, a rollout that became ready some time ago.

        :param ready: how the wait for it ended.
        :returns: the outcome as of now; None if the rollout must be waited for again.
        """
        return SingleLook(self.client).still(rollout, ready)

    @checked(name=argument_rules.NAME, expected=instance(Expectation, optional=True))
    def wait_for(
        self,
        name: str,
        *,
        expected: Expectation | None = None,
        deadline: float,
        failure_policy: Mapping[str, Any] | None = None,
        patience: float = 0.0,
    ) -> Outcome:
        """
        Block until a deployment is ready, has failed, or the deadline has passed; progress goes to the task
        log.

        :param expected: what was written, from a :class:`Rollout`; without it, the wait is for the deployment
            as it is, and for its creation.
        :param deadline: epoch seconds; with a deadline in the past, check once.
        :param failure_policy: fields of ``core.readiness.failure_policy.FailurePolicy`` that differ from the defaults.
        :param patience: seconds for which it continues after the deadline, while there is a failure that
            fails the deployment if it lasts.
        :raises InvalidModelServerError: the failure policy is invalid.
        """
        return Waiter(self.target).wait(
            name, expected=expected, deadline=deadline, failure_policy=failure_policy, patience=patience
        )

    @checked(outcome=instance(Outcome), served_before=instance(bool))
    def raise_for_outcome(self, outcome: Outcome, *, served_before: bool = False) -> None:
        """
        Raise the exception of an outcome; a successful one raises nothing.

        :param served_before: whether another version served, which then keeps serving; False if that is not
            known.
        :raises RolloutError: the subclass for the ending, with the diagnosis.
        """
        raise_for(outcome, served_before=served_before)

    @checked(name=argument_rules.NAME, order=_ORDER)
    def roll_back(
        self, name: str, *, to: str = "previous", by: str = "", order: OrderToken | None = None
    ) -> Rollout:
        """
        Roll back to a version that has served, without waiting for it.

        :param to: ``previous``, or a revision among those kept on the deployment.
        :param by: the caller; a repeated call by the same caller means the same version, also with
            ``previous``.
        :param order: its place in the order of runs; deploys of older runs do not undo it.
        :returns: what was done; pass it to :meth:`complete` when it serves.
        :raises InvalidModelServerError: there is no such version.
        """
        return Restore(self.target).roll_back(name, to=to, by=by, order=order)

    @checked(name=argument_rules.NAME, order=_ORDER)
    def undo_run(
        self, name: str, *, dag_id: str, run_id: str, by: str = "", order: OrderToken | None = None
    ) -> Undone:
        """
        Restore what a DAG run found on a deployment before its first write, without waiting for it.

        What the run created is deleted; what it did not change, or another run has changed since, is left
        unchanged.

        :param by: the caller; a repeated call by the same caller continues what it began.
        :param order: see :meth:`roll_back`.
        :raises InvalidModelServerError: there is no version from before the run to restore.
        """
        return RunUndo(self.target, dag_id=dag_id, run_id=run_id, by=by, order=order).undo(name)

    @checked(failed=_ROLLOUT)
    def undo(self, failed: Rollout, *, delete_created: bool = False) -> Rollout | None:
        """
        Restore what served before a failed rollout, if the deployment is still as that rollout wrote it.

        :param delete_created: delete the deployment if this run created it.
        :returns: the rollback, to wait for; None if there is nothing to wait for.
        """
        return Restore(self.target).undo(failed, delete_created=delete_created)

    @checked(rollout=_ROLLOUT)
    def overtaken(self, rollout: Rollout) -> StaleRunError | None:
        """Return the error of a rollout that a newer run replaced during the wait, else None."""
        return overtaken(self.client, rollout)

    @checked(name=argument_rules.NAME)
    def scale(self, name: str, *, replicas: int | None) -> Rollout:
        """
        Set the number of pods of every predictor, without waiting; the next deploy sets the configured one again.

        :param replicas: 0 stops the deployment; None is its configured number.
        :raises NotManagedError: this provider does not manage the deployment.
        """
        return Restore(self.target).scale(name, replicas=replicas)

    @checked(name=argument_rules.NAME)
    def stop(self, name: str) -> Rollout:
        """Scale every predictor of a deployment to zero; its configuration stays."""
        return self.scale(name, replicas=0)

    @checked(name=argument_rules.NAME)
    def start(self, name: str) -> Rollout:
        """Scale a stopped deployment to its configured replicas, without waiting."""
        return self.scale(name, replicas=None)
