"""Sources of the fleet page: a cluster that the API server reads, or a snapshot that a task has stored."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import Badge, Condition, DeploymentView, DetailView
from airflow_provider_seldon.fleet.shared_look import PATIENCE, Seen, SharedLook
from airflow_provider_seldon.operators.fleet import variable_of

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.inventory.survey import Survey

log = logging.getLogger(__name__)

#: Seconds after which the page mentions a look that is still running.
SLOW = 3.0
#: Seconds that a page waits for a diagnosis; after that, it is shown without.
DIAGNOSIS_PATIENCE = 3.0
#: Maximum number of cached diagnoses.
MOST_REMEMBERED = 50


class Source(Protocol):
    """One namespace, through one connection; the connection's own namespace if it is empty."""

    connection: str
    namespace: str

    def listing(self, *, patience: float) -> tuple[Snapshot, Sequence[DeploymentView]]:
        """Return the deployments, and their look (without its details)."""
        ...

    def detail(self, name: str) -> DetailView | None:
        """Return one deployment with its history and, if it is not ready, its diagnosis."""
        ...


class ClusterSource:
    """
    Reads a cluster with the credentials of an Airflow connection.

    :param connection: id of the connection.
    :param namespace: the connection's own when empty.
    """

    def __init__(self, connection: str, namespace: str = "") -> None:
        self.connection = connection
        self.namespace = namespace
        self._survey: Survey | None = None
        self._failed = False
        self._moment = 0.0
        self._views = SharedLook(self._look, explain=_explained)
        self._diagnoses: dict[str, SharedLook[str]] = {}
        self._lock = threading.Lock()

    def listing(self, *, patience: float = PATIENCE) -> tuple[Snapshot, Sequence[DeploymentView]]:
        """See :class:`Source`."""
        seen = self._views.get(patience=patience)
        look = Snapshot(
            connection=self.connection,
            namespace=self.namespace,
            moment=self._moment,
            error=_trouble(seen, "The cluster"),
        )
        return look, seen.value or ()

    def detail(self, name: str) -> DetailView | None:
        """See :class:`Source`."""
        self._views.get()
        found = self._survey.detail(name) if self._survey else None
        if found is None or not _is_wrong(found.deployment):
            return found
        with self._lock:
            while len(self._diagnoses) >= MOST_REMEMBERED and name not in self._diagnoses:
                del self._diagnoses[next(iter(self._diagnoses))]
            shared = self._diagnoses.setdefault(
                name, SharedLook(lambda: self._diagnosis(name), explain=_explained)
            )
        seen = shared.get(patience=DIAGNOSIS_PATIENCE)
        # Until the new diagnosis is there, the previous one is shown.
        told = seen.value if seen.value is not None else _trouble(seen, "The diagnosis")
        return DetailView(**{**vars(found), "diagnosis": told})

    def _look(self) -> Sequence[DeploymentView]:
        survey = None if self._failed else self._survey
        if survey is None:
            from airflow_provider_seldon.hooks import fleet

            # After a failure, the connection may have been corrected.
            survey = fleet.survey(self.connection, self.namespace)
        self._failed = True
        views = survey.look()
        self._survey, self._moment, self._failed = survey, time.time(), False
        return views

    def _diagnosis(self, name: str) -> str:
        return self._survey.diagnosis(name) if self._survey else ""


class SnapshotSource:
    """
    Reads the snapshot of ``SeldonFleetSnapshotOperator``, so that the API server needs no credentials of a
    cluster.

    :param connection: id of the connection that the task used.
    :param namespace: its namespace; the connection's own when empty.
    """

    def __init__(self, connection: str, namespace: str = "") -> None:
        self.connection = connection
        self.namespace = namespace
        self._read = SharedLook(self._variable, explain=_explained)

    def listing(self, *, patience: float = PATIENCE) -> tuple[Snapshot, Sequence[DeploymentView]]:
        """See :class:`Source`."""
        seen = self._read.get(patience=patience)
        found = seen.value
        look = Snapshot(
            connection=self.connection,
            namespace=found.namespace if found else self.namespace,
            moment=found.moment if found else 0.0,
            error=_trouble(seen, "Airflow's database") or (found.error if found else ""),
        )
        return look, [one.deployment for one in found.details] if found else ()

    def detail(self, name: str) -> DetailView | None:
        """See :class:`Source`."""
        found = self._read.get().value
        return next((one for one in found.details if one.deployment.name == name), None) if found else None

    def _variable(self) -> Snapshot:
        from airflow.models.variable import Variable

        name = variable_of(self.connection, self.namespace)
        text = Variable.get(name, default_var=None)
        if text is None:
            raise LookupError(
                f"the Variable {name} does not exist yet; a task with SeldonFleetSnapshotOperator writes it"
            )
        try:
            return Snapshot.unpack(text)
        except ValueError:
            # Its text is not quoted: the Variable may contain anything.
            raise LookupError(f"the Variable {name} does not hold a snapshot") from None


def sources_of(targets: Sequence[tuple[str, str]], *, source: str) -> Mapping[tuple[str, str], Source]:
    """
    Return the sources that the configuration names.

    :param targets: connections, each with a namespace, "" for the connection's own.
    :param source: ``cluster`` or ``snapshot``.
    """
    kind = SnapshotSource if source == "snapshot" else ClusterSource
    return {target: kind(*target) for target in targets}


def _is_wrong(view: DeploymentView) -> bool:
    wrong = view.condition in (Condition.FAILED, Condition.PROGRESSING)
    return wrong or str(Badge.DEGRADED) in view.badges


def _trouble(seen: Seen[Any], who: str) -> str:
    if seen.waiting > SLOW:
        return f"{who} has not answered for {seen.waiting:.0f} s."
    return seen.error


def _explained(error: Exception) -> str:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_seldon.exceptions import SeldonError
    from airflow_provider_seldon.hooks.masking import redact

    # Exceptions of other code, such as a secrets backend, may quote anything.
    if isinstance(error, SeldonError | LookupError | AirflowNotFoundException):
        return redact(str(error))
    log.warning("A look for the fleet page failed: %s", redact("".join(format_exception(error))))
    return f"{type(error).__name__}; see the log of the API server."
