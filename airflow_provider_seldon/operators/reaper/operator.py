"""Clean up abandoned canaries, expired previews and orphans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_seldon.core.canary import arguments as canary
from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.core.values import readers
from airflow_provider_seldon.triggers.deferral import SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.reaping.origin import Whereabouts
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.reaping.report import Report
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: All namespaces: the connection needs permission to list deployments in the whole cluster.
EVERYWHERE = "*"


def _namespaces(value: Any) -> Any:
    """Read one namespace, several, or ``*``."""
    for one in [value] if isinstance(value, str) else readers.texts(value):
        if one != EVERYWHERE or not isinstance(value, str):
            readers.namespace(one)
    return value


class SeldonReaperOperator(SeldonTask, BaseOperator):
    """
    Clean up leftovers, in a DAG with a schedule. It considers only deployments that this provider created.

    - A canary whose lease has expired is aborted in one write: the last proven version gets all traffic
      again. This applies at every step, also during the promotion.
    - A deployment whose ``ttl`` has expired is first marked, by an annotation. A later run deletes it once
      ``grace`` has passed, unless it was deployed, edited or renewed since. With
      ``orphans="delete"``, the same applies to orphans.
    - A deployment whose DAG or task no longer exists is reported as an orphan.

    Each write is conditional on what was just read; a deployment that changes in between is read again. An
    error with one deployment does not stop the others: the task fails at its end and lists all errors.

    Returns, and pushes as the XCom ``report`` even where it fails: ``aborted``, ``deleted``, ``marked``, ``cleared``,
    ``orphans``, ``skipped`` and ``errors``, each a list of ``namespace``, ``name``, ``model_name``, ``dag_id``,
    ``task_id``, ``run_id``, ``uid`` and ``reason``; ``dry_run``; and the ``terms``, the arguments of the
    reaper.

    :param dry_run: write nothing. The API server checks every write, and the report lists the planned
        actions.
    :param grace: seconds, or a ``timedelta``, between the mark and the deletion.
    :param orphans: ``report`` them; ``delete`` those whose DAG or task this Airflow knows to be gone, as if
        they had expired; or ``ignore`` them, without any lookup.
    :param airflow_conn_id: on Airflow 3, a connection of type ``http`` to its REST API: ``host``, ``login``
        and ``password``, or ``bearer_token`` in the extra. Without it, a task on Airflow 3 can detect only
        that a DAG was deleted. On Airflow 2.11 the task reads the database and needs no connection.
    :param namespace: a namespace, several, or ``*`` for all namespaces of the cluster; defaults to the
        connection's.
    :param name: only the deployment of this name.
    :param model_name: only deployments of this model.
    :param labels: only deployments with these labels.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param timeout: seconds to wait, for each namespace, until aborted deployments are ready and deleted ones
        are gone.
    """

    template_fields: Sequence[str] = (
        *("is_dry_run", "grace", "orphans", "airflow_conn_id", "namespace", "name", "model_name", "labels"),
        "seldon_conn_id",
    )
    ui_color = "#e9e4e0"
    rules = argument_rules.of(
        *("grace", "orphans", "airflow_conn_id", "name", "model_name", "labels", "seldon_conn_id", "timeout"),
        dry_run=argument_rules.Rule(canary.yes_or_no),
        namespace=argument_rules.Rule(_namespaces, optional=True),
    )

    def __init__(
        self,
        *,
        dry_run: bool | str = False,
        grace: float | timedelta | str = 3600.0,
        orphans: Literal["report", "delete", "ignore"] = "report",
        airflow_conn_id: str | None = None,
        namespace: str | Sequence[str] | None = None,
        name: str | None = None,
        model_name: str | None = None,
        labels: Mapping[str, str] | None = None,
        seldon_conn_id: str = "seldon_default",
        timeout: float = 300.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # ``dry_run`` itself is a method of every operator.
        self.is_dry_run = dry_run  # type: ignore[assignment]
        self.grace = grace
        self.orphans = orphans
        self.airflow_conn_id = airflow_conn_id
        self.namespace = namespace  # type: ignore[assignment]
        self.name = name
        self.model_name = model_name
        self.labels = labels
        self.seldon_conn_id = seldon_conn_id
        self.timeout = timeout
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Reap; see the class."""
        from airflow_provider_seldon.delivery.reaping.report import Report
        from airflow_provider_seldon.exceptions import ReapingError

        self.check_arguments()
        report = Report(dry_run=bool(self.is_dry_run))
        origin_of = self._origin_of(context)
        namespaces = self._namespaces(report)
        report.terms = self._terms([hook.namespace for hook, _ in namespaces])
        for hook, found in namespaces:
            self._reap(hook, found, report, origin_of)
        told = report.to_json()
        self._tell(report)
        if self.do_xcom_push:
            context["ti"].xcom_push(key="report", value=told)
        if report.errors:
            lines = [f"{_where(one)}: {one['reason']}" for one in report.errors]
            raise ReapingError("The reaper could not do everything that is due:\n" + "\n".join(lines))
        return told

    def _terms(self, namespaces: Sequence[str]) -> dict[str, Any]:
        given = {"name": self.name, "model_name": self.model_name, "labels": self.labels}
        return {
            "connection": self.seldon_conn_id,
            "namespaces": list(namespaces),
            "grace": float(self.grace),  # type: ignore[arg-type]
            "orphans": self.orphans,
            "only": {key: str(value) for key, value in given.items() if value},
        }

    def _namespaces(self, report: Report) -> list[tuple[SeldonHook, list[SeldonDeployment]]]:
        """Return a hook for each namespace, and the deployments to examine there."""
        if self.namespace == EVERYWHERE:
            everything = self._find(self._hook(None), everywhere=True)
            names = sorted({one.namespace for one in everything})
            return [
                (self._hook(name), [one for one in everything if one.namespace == name]) for name in names
            ]
        given = self.namespace or None
        found = []
        for name in [given] if given is None or isinstance(given, str) else list(given):
            hook = self._hook(name)
            try:
                found.append((hook, self._find(hook)))
            except Exception as error:
                self.log.exception("Namespace %s could not be listed", hook.namespace)
                reason = f"it could not be listed: {type(error).__name__}: {error}"
                report.errors.append({"namespace": hook.namespace, "name": "", "reason": reason})
        return found

    def _hook(self, namespace: str | None) -> SeldonHook:
        from airflow_provider_seldon.hooks.seldon import SeldonHook

        return SeldonHook(self.seldon_conn_id, namespace=namespace, dry_run=bool(self.is_dry_run))

    def _find(self, hook: SeldonHook, *, everywhere: bool = False) -> list[SeldonDeployment]:
        from airflow_provider_seldon.delivery.inventory.search import DeploymentSearch

        return DeploymentSearch(hook.client).find(
            facts={"model_name": self.model_name or None},
            name=self.name or None,
            labels=self.labels or None,
            everywhere=everywhere,
        )

    def _reap(
        self,
        hook: SeldonHook,
        found: list[SeldonDeployment],
        report: Report,
        origin_of: Callable[[SeldonDeployment], Whereabouts] | None,
    ) -> None:
        from airflow_provider_seldon.delivery.reaping.reaper import Reaper, Terms

        terms = Terms(
            grace=float(self.grace),  # type: ignore[arg-type]
            delete_orphans=self.orphans == "delete",
            timeout=self.timeout,
        )
        Reaper(target=hook.target, terms=terms, report=report, origin_of=origin_of).reap(found)

    def _origin_of(self, context: Context) -> Callable[[SeldonDeployment], Whereabouts] | None:
        if self.orphans == "ignore":
            return None
        from airflow_provider_seldon.hooks.origins.lookup import lookup, source_for

        return lookup(source_for(self.airflow_conn_id or None, context["ti"]))

    def _tell(self, report: Report) -> None:
        done = "Would have been" if report.dry_run else "Was"
        for what in ("aborted", "deleted", "marked", "cleared"):
            for one in getattr(report, what):
                self.log.info("%s %s: %s, because %s", done, what, _where(one), one["reason"])
        for one in report.orphans:
            self.log.warning("Orphan: %s: %s", _where(one), one["reason"])
        for one in report.skipped:
            self.log.info("Left as it is: %s: %s", _where(one), one["reason"])


def _where(one: Mapping[str, str]) -> str:
    return f"{one['namespace']}/{one['name']}".rstrip("/")
