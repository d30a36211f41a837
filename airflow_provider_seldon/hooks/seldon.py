"""
The Seldon hook: an Airflow connection becomes access to the SeldonDeployments of a cluster.

Its methods are those of a model deployer: deploy, find, inspect, scale, delete, predict, read logs. What is to
be done is decided by ``core.rollout.plan``; this module asks the cluster for what the decision needs and
carries it out, in an order that is safe to interrupt anywhere: nothing that serves is deleted or scaled down
before its successor is ready.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.identity.names import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.endpoint import (
    UnexpectedResponseError,
    parse_response,
    request_body,
    url_below,
)
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.outcome import Outcome
from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.fence import OrderToken
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
from airflow_provider_seldon.delivery.inventory.removal import delete_named
from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch
from airflow_provider_seldon.delivery.rollout.completion import Completion
from airflow_provider_seldon.delivery.rollout.deploy import Deployer
from airflow_provider_seldon.delivery.rollout.handoff import Rollout
from airflow_provider_seldon.delivery.rollout.overtaking import overtaken
from airflow_provider_seldon.delivery.rollout.restore import Restore
from airflow_provider_seldon.delivery.rollout.undeclared_fields import with_declared_fields
from airflow_provider_seldon.delivery.waiting.single_look import SingleLook
from airflow_provider_seldon.delivery.waiting.wait import Waiter, raise_for
from airflow_provider_seldon.exceptions import InvalidModelServerError, PredictionError
from airflow_provider_seldon.hooks import connection_form
from airflow_provider_seldon.hooks.argument_checks import checked, instance
from airflow_provider_seldon.hooks.connection import SeldonConnectionHook
from airflow_provider_seldon.hooks.connection_test import check

if TYPE_CHECKING:
    from airflow_provider_seldon.core.rollout.plan import Adopt, OnNegative, OnNegativeEmpty
    from airflow_provider_seldon.exceptions import StaleRunError

_ORDER = instance(OrderToken, optional=True)
_ROLLOUT = instance(Rollout)
_NAMED = argument_rules.Rule(
    lambda value: value if isinstance(value, SeldonDeployment) else argument_rules.NAME(value)
)


class SeldonHook(SeldonConnectionHook):
    """
    Access to Seldon Core in one namespace of a cluster.

    The connection has type ``seldon``; a plain Kubernetes connection works as well, without predictions. Its
    extra fields are those of a Kubernetes connection (``in_cluster``, ``kube_config_path``, ``kube_config``,
    ``cluster_context``, ``namespace``, ``disable_verify_ssl``, ``disable_tcp_keepalive``) and:

    - ``ingress_url``: base URL of the ingress gateway; ``ingress_host_header``, ``ingress_verify`` (true, false
      or a CA bundle's path), ``ingress_token`` (bearer), or the connection's login and password (basic);
    - ``storage_env_from``: name of an existing Secret with rclone settings, used where a model server names none;
    - ``storage_conn_id``: id of an Airflow connection whose credentials become such a Secret.

    ``storage_env_from`` has its name because Airflow masks, in every log, the value of a field whose name
    contains "secret".

    :param seldon_conn_id: the Airflow connection. ``seldon_default`` may be missing: then the pod's service
        account or the default kubeconfig is used.
    :param namespace: overrides the connection's namespace.
    :param connection: the connection itself, where it has been fetched already.
    :param dry_run: let the API server check every write, and store none; see :meth:`dry_run_changes`.
    :param kubernetes_options: overrides of ``KubernetesHook``, such as ``config_file`` or ``cluster_context``.
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
        """Tell whether the cluster answers, knows SeldonDeployments, and grants the rights that are needed."""
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
    ) -> Rollout:
        """
        Bring a model server onto the cluster, as ``core.rollout.plan`` decides, without waiting for it.

        :param server: what is asked for.
        :param identity: which DAG task asks; its earlier deployments are the equivalents.
        :param deploy: the decision: a bool, or an object of :mod:`airflow_provider_seldon.decisions`.
        :param replace: update the newest equivalent in place (its URL stays) instead of adding another.
        :param metrics: metrics of the candidate, recorded on the deployment.
        :param force_conflicts: take over fields that other managers own.
        :param adopt: take over a deployment of the given name that this provider did not make, if it can be given
            back; ``irreversibly``: even if it cannot.
        :param order: when, in the order of runs, this deploy belongs; recorded.
        :param fence: refuse to replace what a deploy of a higher order has deployed.
        :param on_negative: what a negative decision does where a deployment exists, see ``core.rollout.plan``.
        :param on_negative_empty: the same where none exists.
        :param retry: this is not the first try of the run, so what an earlier one did counts as done by this one.
        :param drop_unknown_fields: leave out, and log, fields of a manifest that the cluster's CRD does not declare.
        :returns: what was done; pass it to :meth:`complete` when it serves.
        :raises InvalidModelServerError: the request is wrong; nothing was sent.
        :raises UndeclaredFieldsError: the cluster's CRD lacks fields of the request.
        :raises NotManagedError: a deployment of that name is somebody else's.
        :raises StaleRunError: a newer run has deployed already.
        :raises TurnedDownError: the decision is negative, and nothing was to be done then.
        """
        deploy_server = functools.partial(
            Deployer(hook=self).deploy,
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
        )
        return with_declared_fields(deploy_server, server, drop=drop_unknown_fields)

    @checked(rollout=_ROLLOUT)
    def complete(self, rollout: Rollout) -> list[str]:
        """
        Record that a rollout serves, and delete the deployments that it supersedes.

        Call it only after the wait has ended well.

        :returns: names of the deleted deployments.
        """
        return Completion(hook=self).complete(rollout)

    @checked(rollout=_ROLLOUT, ready=instance(Outcome))
    def still_serves(self, rollout: Rollout, ready: Outcome) -> Outcome | None:
        """
        Look once more at a rollout that has come to serve some time ago, by fresh reads.

        :param ready: how the wait for it ended.
        :returns: the outcome of this moment; None where it has to be waited for again.
        """
        return SingleLook(hook=self).still(rollout, ready)

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
        Block until a deployment serves, is known not to, or the time is over; progress goes to the task log.

        :param expected: what was written, from a :class:`Rollout`; without it, whatever is deployed is judged,
            and its coming into being is waited for.
        :param deadline: epoch seconds; a deadline that is over means: look once.
        :param failure_policy: fields of ``core.failure.FailurePolicy`` that differ from the defaults.
        :param patience: seconds for which it goes on after the deadline, while something is seen that fails the
            deployment if it lasts.
        :raises InvalidModelServerError: the failure policy is not one.
        """
        return Waiter(self).wait(
            name, expected=expected, deadline=deadline, failure_policy=failure_policy, patience=patience
        )

    @checked(outcome=instance(Outcome), served_before=instance(bool))
    def raise_for_outcome(self, outcome: Outcome, *, served_before: bool = False) -> None:
        """
        Raise the exception that an outcome stands for; a good one raises nothing.

        :param served_before: whether another version served, which then keeps serving; False where that is not known.
        :raises RolloutError: the subclass for the ending, with the diagnosis.
        """
        raise_for(outcome, served_before=served_before)

    @checked()
    def find_model_servers(
        self,
        *,
        running: bool = False,
        name: str | None = None,
        dag_id: str | None = None,
        task_id: str | None = None,
        run_id: str | None = None,
        model_name: str | None = None,
        model_uri: str | None = None,
        implementation: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[SeldonDeployment]:
        """
        Find this provider's deployments, newest first, by one LIST per 500.

        A filter that is None does not filter. Values are compared in full, however long they are.

        :param running: only those whose state is ``Available``.
        :param labels: further labels that must be equal.
        """
        return DeploymentSearch(self.client).find(
            running=running,
            name=name,
            labels=labels,
            facts={
                "dag_id": dag_id,
                "task_id": task_id,
                "run_id": run_id,
                "model_name": model_name,
                "model_uri": model_uri,
                "implementation": implementation,
            },
        )

    @checked(deployment=_NAMED)
    def get_model_server_info(
        self, deployment: SeldonDeployment | str, *, action: str = ""
    ) -> ModelServerInfo:
        """
        Return name, URLs, state and origin of a deployment.

        :param deployment: the deployment, or its name.
        :param action: recorded in the result.
        :raises DeploymentNotFoundError: there is none of that name.
        """
        found = self.client.get(deployment) if isinstance(deployment, str) else deployment
        return ModelServerInfo.of(
            found, ingress_url=self.ingress.url, namespace=self.namespace, action=action
        )

    @checked(name=argument_rules.NAME)
    def delete_model_server(
        self, name: str, *, wait: bool = True, timeout: float = 300.0, managed_only: bool = True
    ) -> bool:
        """
        Delete a deployment with its children; absent is success.

        :param wait: block until the last pod is gone.
        :param timeout: seconds to wait.
        :param managed_only: refuse a deployment that this provider did not make.
        :returns: False when there was nothing to delete.
        :raises NotManagedError: the deployment is somebody else's.
        :raises RolloutTimeoutError: something was left when the time was over.
        """
        return delete_named(self.client, name, wait=wait, timeout=timeout, managed_only=managed_only)

    @checked(name=argument_rules.NAME, order=_ORDER)
    def roll_back(
        self, name: str, *, to: str = "previous", by: str = "", order: OrderToken | None = None
    ) -> Rollout:
        """
        Put a version back that was seen serving, without waiting for it.

        :param to: ``previous``, or a revision among those kept on the deployment.
        :param by: who asks; the same asking again means the same version, also where it says ``previous``.
        :param order: when, in the order of runs, this belongs; deploys of older runs do not undo it.
        :returns: what was done; pass it to :meth:`complete` when it serves.
        :raises InvalidModelServerError: there is no such version.
        """
        return Restore(hook=self).roll_back(name, to=to, by=by, order=order)

    @checked(failed=_ROLLOUT)
    def undo(self, failed: Rollout, *, delete_created: bool = False) -> Rollout | None:
        """
        Put back what served before a rollout that failed, if it still is what that rollout wrote.

        :param delete_created: delete the deployment where this run has created it.
        :returns: the rollout back, to be waited for; None when there is nothing to wait for.
        """
        return Restore(hook=self).undo(failed, delete_created=delete_created)

    @checked(rollout=_ROLLOUT)
    def overtaken(self, rollout: Rollout) -> StaleRunError | None:
        """Return what to tell of a rollout that a newer run has deployed over while it was waited for, else None."""
        return overtaken(self.client, rollout)

    @checked(name=argument_rules.NAME)
    def scale(self, name: str, *, replicas: int | None) -> Rollout:
        """
        Set the number of pods of every predictor, without waiting; the next deploy sets the configured one again.

        :param replicas: 0 stops the deployment; None is its configured number.
        :raises NotManagedError: the deployment is somebody else's.
        """
        return Restore(hook=self).scale(name, replicas=replicas)

    @checked(name=argument_rules.NAME)
    def stop(self, name: str) -> Rollout:
        """Scale every predictor of a deployment to zero; its configuration stays."""
        return self.scale(name, replicas=0)

    @checked(name=argument_rules.NAME)
    def start(self, name: str) -> Rollout:
        """Scale a stopped deployment to its configured replicas, without waiting."""
        return self.scale(name, replicas=None)

    @checked(name=argument_rules.NAME, deployment=instance(SeldonDeployment, optional=True))
    def predict(
        self,
        name: str,
        data: Any,
        *,
        deployment: SeldonDeployment | None = None,
        path: str | None = None,
        timeout: float = 30.0,
        retry_for: float = 30.0,
    ) -> Any:
        """
        Send one prediction request in the deployment's own protocol and return the decoded answer.

        :param data: rows (a list, a nested list, anything with ``tolist``), or a dict that is sent as it is.
        :param deployment: spares the read that finds out protocol and graph.
        :param path: path below the deployment's URL, instead of the protocol's own.
        :param timeout: seconds for one request.
        :param retry_for: seconds during which a gateway that is not ready is asked again.
        :raises PredictionError: no prediction came.
        :raises InvalidModelServerError: the data cannot be sent, or the path leads out of the deployment's own URL.
        """
        found = deployment or self.client.get(name)
        protocol = (found.spec.protocol if found.spec else None) or "seldon"
        _ = self.ingress.require_url()
        url = self.get_model_server_info(found).prediction_url
        if path:
            url = self._url_below(name, path)
        try:
            body = request_body(protocol, data)
        except InvalidRequestError as error:
            raise InvalidModelServerError.of("SeldonHook.predict", error) from None
        return self.ingress.post(url, body, timeout=timeout, retry_for=retry_for)

    def _url_below(self, name: str, path: str) -> str:
        try:
            return url_below(self.ingress.require_url(), self.namespace, name, path)
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the model:\n{error}") from None

    @checked(name=argument_rules.NAME)
    def predictions(self, name: str, data: Any, **options: Any) -> list[Any]:
        """Like :meth:`predict`, but return only the rows of the prediction, whatever the protocol."""
        found = options.pop("deployment", None) or self.client.get(name)
        protocol = (found.spec.protocol if found.spec else None) or "seldon"
        answer = self.predict(name, data, deployment=found, **options)
        try:
            return parse_response(protocol, answer)
        except UnexpectedResponseError as error:
            raise PredictionError(
                f"{name} answered, but not with a prediction: {error}", status=200
            ) from None

    @checked(name=argument_rules.NAME)
    def get_logs(
        self, name: str, *, container: str | None = None, follow: bool = False, tail: int | None = None
    ) -> Iterator[str]:
        """
        Yield the logs of a deployment's pods, newest pod first; see ``kube.pods.PodReader.all_logs``.

        :param container: one container instead of all that have something to say.
        :param follow: stay with the newest pod until it ends.
        :param tail: the last so many lines of each container only.
        """
        return self.client.pods.all_logs(name, container=container, follow=follow, tail=tail)
