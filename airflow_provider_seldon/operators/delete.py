"""Delete model servers: one by name, or all that match selectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.deferral import SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


#: Arguments that select deployments; at least one must be given.
SELECTORS = (
    "name",
    "dag_id_of_deployer",
    "task_id_of_deployer",
    "run_id_of_deployer",
    "model_name",
    "model_uri",
)


class SeldonDeleteModelOperator(SeldonTask, BaseOperator):
    """
    Delete model servers with their children. One that does not exist counts as deleted, so a retry succeeds.

    A Secret with storage credentials that this provider created is deleted with its last user: Kubernetes
    garbage-collects it through its owner references.

    Returns the names of the deleted deployments.

    :param name: name of one deployment.
    :param model_name: all of that model; the selectors combine with "and".
    :param model_uri: all that were deployed from that URI.
    :param dag_id_of_deployer: all that this DAG deployed.
    :param task_id_of_deployer: all that this task deployed.
    :param run_id_of_deployer: all that this DAG run deployed.
    :param namespace: namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param managed_only: refuse a deployment called ``name`` that this provider did not create. Selectors
        never match one.
    :param wait_for_deletion: wait until the last pod is gone.
    :param timeout: seconds to wait, for each deployment.
    :param dry_run: delete nothing. The API server checks the deletions, and the task logs and returns the
        names of the deployments that would be deleted.
    """

    template_fields: Sequence[str] = (*SELECTORS, "namespace", "seldon_conn_id")
    ui_color = "#f6e6e4"
    rules = argument_rules.of(
        *SELECTORS,
        *("namespace", "seldon_conn_id", "managed_only", "wait_for_deletion", "timeout", "dry_run"),
    )

    def __init__(
        self,
        *,
        name: str | None = None,
        model_name: str | None = None,
        model_uri: str | None = None,
        dag_id_of_deployer: str | None = None,
        task_id_of_deployer: str | None = None,
        run_id_of_deployer: str | None = None,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        managed_only: bool = True,
        wait_for_deletion: bool = True,
        timeout: float = 300.0,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.model_name = model_name
        self.model_uri = model_uri
        self.dag_id_of_deployer = dag_id_of_deployer
        self.task_id_of_deployer = task_id_of_deployer
        self.run_id_of_deployer = run_id_of_deployer
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.managed_only = managed_only
        self.wait_for_deletion = wait_for_deletion
        self.timeout = timeout
        # ``dry_run`` itself is a method of every operator.
        self.is_dry_run = dry_run
        self.check_literals()

    def execute(self, context: Context) -> list[str]:
        """Delete; see the class."""
        self.check_arguments()
        names = self._names()
        deleted = [name for name in names if self._delete(name)]
        if self.is_dry_run:
            self.log.info("Dry run: %s would be deleted. Nothing was.", ", ".join(deleted) or "nothing")
            self.log.info("%s", self.hook.dry_run_changes())
            return deleted
        self.log.info("Deleted %s", ", ".join(deleted) or "nothing: there was no such deployment")
        return deleted

    def _names(self) -> list[str]:
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        given = {selector: getattr(self, selector) for selector in SELECTORS if getattr(self, selector)}
        if not given:
            raise InvalidModelServerError(
                "There is no selector, and deleting everything is not supported: give one of "
                f"{', '.join(SELECTORS)} "
                "(a template that renders to an empty text counts as not given)."
            )
        if given.keys() == {"name"}:
            return [given["name"]]
        found = self.hook.find_model_servers(
            name=self.name or None,
            model_name=self.model_name or None,
            model_uri=self.model_uri or None,
            dag_id=self.dag_id_of_deployer or None,
            task_id=self.task_id_of_deployer or None,
            run_id=self.run_id_of_deployer or None,
        )
        return [deployment.name for deployment in found]

    def _delete(self, name: str) -> bool:
        return self.hook.delete_model_server(
            name, wait=self.wait_for_deletion, timeout=self.timeout, managed_only=self.managed_only
        )
