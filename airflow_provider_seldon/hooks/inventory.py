"""Find, inspect and delete the model servers of a namespace, and read their logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
from airflow_provider_seldon.delivery.inventory.removal import delete_named
from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch
from airflow_provider_seldon.hooks.argument_checks import checked
from airflow_provider_seldon.hooks.connection import SeldonConnectionHook

_NAMED = argument_rules.Rule(
    lambda value: value if isinstance(value, SeldonDeployment) else argument_rules.NAME(value)
)


class InventoryHook(SeldonConnectionHook):
    """The part of :class:`~airflow_provider_seldon.hooks.seldon.SeldonHook` for existing deployments."""

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

        :param running: only deployments whose state is ``Available``.
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
        :raises DeploymentNotFoundError: there is no deployment of that name.
        """
        found = self.client.get(deployment) if isinstance(deployment, str) else deployment
        return self.target.info(found, action=action)

    @checked(name=argument_rules.NAME)
    def delete_model_server(
        self, name: str, *, wait: bool = True, timeout: float = 300.0, managed_only: bool = True
    ) -> bool:
        """
        Delete a deployment with its children; one that does not exist counts as deleted.

        :param wait: block until the last pod is gone.
        :param timeout: seconds to wait.
        :param managed_only: refuse a deployment that this provider did not create.
        :returns: False when there was nothing to delete.
        :raises NotManagedError: this provider does not manage the deployment.
        :raises RolloutTimeoutError: something was still left after ``timeout``.
        """
        return delete_named(self.client, name, wait=wait, timeout=timeout, managed_only=managed_only)

    @checked(name=argument_rules.NAME)
    def get_logs(
        self, name: str, *, container: str | None = None, follow: bool = False, tail: int | None = None
    ) -> Iterator[str]:
        """
        Yield the logs of a deployment's pods, newest pod first; see ``kube.requests.pods.PodReader.all_logs``.

        :param container: one container instead of all that have logs.
        :param follow: follow the newest pod until it ends.
        :param tail: only this number of last lines of each container.
        """
        return self.client.pods.all_logs(name, container=container, follow=follow, tail=tail)
