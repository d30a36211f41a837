"""Store the data of the fleet page, for an API server that has no credentials for the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.argument_checks import CheckedArguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Prefix of the names of the Variables.
VARIABLE_PREFIX = "seldon_fleet."


class SeldonFleetSnapshotOperator(CheckedArguments, BaseOperator):
    """
    Read all SeldonDeployments of a namespace, and store a snapshot in an Airflow Variable.

    For ``[seldon] fleet_source = snapshot``: the page then reads the Variable ``seldon_fleet.<conn_id>``, or
    ``seldon_fleet.<conn_id>.<namespace>`` if a namespace is given, and does not read the cluster. It holds
    the content of the page and nothing else: no spec, no environment, no credential. Schedule the task as
    often as the page should be updated. A run costs two LIST requests, and a few more for each of at most 20
    deployments that are not ready.

    Returns how many deployments there are in each condition, such as ``{"serving": 12, "failed": 1}``.

    :param namespace: namespace; defaults to the connection's. Give it here if ``fleet_connections`` gives it.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    """

    template_fields: Sequence[str] = ("namespace", "seldon_conn_id")
    ui_color = "#e8eef7"
    rules = argument_rules.of("namespace", "seldon_conn_id")

    def __init__(
        self, *, namespace: str | None = None, seldon_conn_id: str = "seldon_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.check_literals()

    def execute(self, context: Context) -> dict[str, int]:
        """Read the cluster and write the Variable."""
        from collections import Counter

        from airflow_provider_seldon.hooks.fleet import survey, write_variable

        self.check_arguments()
        snapshot = survey(self.seldon_conn_id, self.namespace or "").snapshot()
        name = variable_of(self.seldon_conn_id, self.namespace or "")
        write_variable(name, snapshot.pack())
        counts = Counter(str(one.deployment.condition) for one in snapshot.details)
        self.log.info("Wrote %d deployments to the Variable %s", len(snapshot.details), name)
        return dict(counts)


def variable_of(connection: str, namespace: str) -> str:
    """Return the name of the Variable that holds a snapshot."""
    return f"{VARIABLE_PREFIX}{connection}" + (f".{namespace}" if namespace else "")
