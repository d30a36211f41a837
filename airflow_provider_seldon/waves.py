"""
Deploy one model to many clusters in waves: a few, a gate, then the rest; a failure stops it or rolls all
back.

::

    from airflow_provider_seldon.waves import Waves

    with Waves("roll_out", name="iris", model_name="iris", model_uri=trained, max_parallel=5) as waves:
        waves.wave(["seldon_eu"])
        waves.bake(seconds=1800)
        waves.wave(["seldon_us", "seldon_asia", {"seldon_conn_id": "seldon_asia", "namespace": "edge"}])

It only creates tasks, in a task group: mapped deploys, one wave after the other, followed by the tasks that
handle a failure. All are ordinary tasks, which can be inspected, retried and cleared.

Cheap to import: no Kubernetes client, no hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, TaskGroup, conf

from airflow_provider_seldon.core.values import readers
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.operators.canary import SeldonCanaryOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Arguments of a deploy that its rollback and the check after a bake share.
_SHARED = ("seldon_conn_id", "namespace", "failure_policy", "timeout", "deferrable")
#: Arguments that select a deployment of one cluster.
_PLACE = ("seldon_conn_id", "namespace", "name")


class SeldonWaveDeployOperator(SeldonDeployModelOperator):
    """
    A mapped deploy that does not start after another deploy of its wave has failed.

    Airflow itself starts every mapped task, however many have failed. A task that has started continues, and
    so does one that is retried or cleared: its write must not be left half done.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Deploy, unless another cluster of the wave has already failed."""
        begin(context)
        return super().execute(context)


class SeldonWaveCanaryOperator(SeldonCanaryOperator):
    """The same for a canary: ``wave(..., operator=SeldonWaveCanaryOperator, steps=[5, 25])``."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the canary, unless another cluster of the wave has already failed."""
        begin(context)
        return super().execute(context)


class BakeOperator(BaseOperator):
    """
    Wait for some time, in the triggerer.

    :param seconds: time to wait.
    """

    def __init__(self, *, seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context: Context) -> None:
        """Wait."""
        from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=self.seconds)), method_name="execute_complete")

    def execute_complete(self, context: Context, event: Any = None) -> None:
        """End."""


class Waves:
    """
    Creates the tasks of a rollout to many clusters.

    :param group_id: id of the task group.
    :param name: name of the deployment, the same on all clusters. It is required, so that a rollback finds
        the deployment of a killed deploy.
    :param max_parallel: number of clusters of a wave that are deployed to at a time; None for all of them.
    :param on_failure: ``stop`` leaves the running versions as they are: the clusters that failed have undone
        their own deploy, and later waves do not start. ``roll_back`` undoes the changes of this run on every
        cluster, once the running tasks have ended.
    :param arguments: arguments of
        :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator`, for all waves.
    :raises InvalidModelServerError: the arguments are invalid.
    """

    def __init__(
        self,
        group_id: str = "waves",
        *,
        name: str,
        max_parallel: int | None = None,
        on_failure: Literal["stop", "roll_back"] = "roll_back",
        **arguments: Any,
    ) -> None:
        if on_failure not in ("stop", "roll_back"):
            raise InvalidModelServerError.of(
                "Waves", f"on_failure: {on_failure!r} is neither stop nor roll_back. Fix: choose one of them."
            )
        self.group = TaskGroup(group_id)
        self._name = name
        self._max_parallel = max_parallel
        self._on_failure = on_failure
        self._arguments = arguments
        self._waves: list[tuple[Any, dict[str, Any]]] = []
        self._tasks: list[Any] = []
        self._count = 0

    def __enter__(self) -> Self:
        self.group.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._lay_out_the_end()
        self.group.__exit__(kind, error, traceback)

    def wave(
        self,
        targets: Any,
        *,
        max_parallel: int | None = None,
        operator: type[Any] = SeldonWaveDeployOperator,
        **arguments: Any,
    ) -> Any:
        """
        Deploy to some clusters, after all earlier tasks of the group have succeeded.

        :param targets: connection ids; or mappings of ``seldon_conn_id``, ``namespace`` and any arguments
            that differ between clusters, such as ``replicas``, which override the group's; or the output of
            a task that returns a list of mappings.
        :param max_parallel: overrides the group's for this wave.
        :param operator: its ``execute`` calls :func:`begin` first if the wave is to stop at a failure.
        :param arguments: override the group's for this wave.
        :returns: the mapped task.
        """
        number = len(self._waves) + 1
        given = self._limited(
            {**self._arguments, **arguments}, self._max_parallel if max_parallel is None else max_parallel
        )
        places = targets if hasattr(targets, "map") else _targets(targets)
        # Not strict: arguments of a target override those of the group.
        task = operator.partial(task_id=f"wave_{number}", name=self._name, **given).expand_kwargs(
            places, strict=False
        )
        self._waves.append((places, given))
        self.gate(task)
        return task

    def gate(self, *tasks: Any) -> None:
        """Add tasks, or task groups, that must succeed, one after the other, before the next wave starts."""
        for task in tasks:
            if self._tasks:
                self._tasks[-1] >> task
            self._tasks.append(task)

    def bake(self, *, seconds: float) -> None:
        """Wait for some time; after that, the deployment must still be ready on every cluster so far."""
        seconds = _checked("bake", lambda: readers.seconds(seconds, 0))
        self._count += 1
        end = "" if self._count == 1 else f"_{self._count}"
        self.gate(BakeOperator(task_id=f"bake{end}", seconds=seconds))
        for number, (places, given) in enumerate(self._waves, start=1):
            look = SeldonDeploymentSensor.partial(
                task_id=f"wave_{number}_serves{end}", name=self._name, **_shared(given)
            ).expand_kwargs(_places(places), strict=False)
            self.gate(look)

    def _lay_out_the_end(self) -> None:
        """Add the tasks that handle a failure, and a last one that fails if any did, for the run's state."""
        end = EmptyOperator(task_id="ended", trigger_rule="none_failed")
        if self._on_failure == "roll_back":
            # Two marks, because Airflow has no trigger rule "all have ended, and one has failed".
            marks = [
                EmptyOperator(task_id="all_ended", trigger_rule="all_done"),
                EmptyOperator(task_id="some_failed", trigger_rule="one_failed"),
            ]
            for task in self._tasks:
                task >> marks
            for number, (places, given) in enumerate(self._waves, start=1):
                back = SeldonRollbackOperator.partial(
                    task_id=f"roll_back_{number}", name=self._name, to="before_run", **_shared(given)
                ).expand_kwargs(_places(places), strict=False)
                marks >> back
                back >> end
        for task in self._tasks:
            task >> end

    def _limited(self, given: dict[str, Any], max_parallel: int | None) -> dict[str, Any]:
        if max_parallel is None:
            return given
        max_parallel = _checked("max_parallel", lambda: readers.whole(max_parallel, 1, readers.MOST_REPLICAS))
        if not _deferred_tasks_count():
            if given.get("deferrable", conf.getboolean("operators", "default_deferrable", fallback=False)):
                raise InvalidModelServerError.of(
                    "Waves",
                    "max_parallel: this Airflow does not count deferred tasks. Fix: deferrable=False, or "
                    "leave max_parallel out and use a pool that includes deferred tasks.",
                )
            given = {**given, "deferrable": False}
        return {**given, "max_active_tis_per_dagrun": max_parallel}


def _shared(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in _SHARED if key in given}


def _checked(argument: str, read: Callable[[], Any]) -> Any:
    """Return an argument that is used only after a wave, when it would be too late to refuse it."""
    try:
        return read()
    except readers.WrongValueError as wrong:
        raise InvalidModelServerError.of("Waves", f"{argument}: {wrong}. Fix: {wrong.fix}.") from None


def _targets(targets: Iterable[Any]) -> list[dict[str, Any]]:
    found = [{"seldon_conn_id": one} if isinstance(one, str) else one for one in targets]
    if isinstance(targets, str) or not found or not all(isinstance(one, Mapping) for one in found):
        raise InvalidModelServerError.of(
            "Waves",
            "wave: takes a list of clusters. Fix: a list of connection ids, or of mappings such as "
            "{'seldon_conn_id': ..., 'namespace': ...}.",
        )
    return [dict(one) for one in found]


def _place(target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: target[key] for key in _PLACE if key in target}


def _places(targets: Any) -> Any:
    """Return targets without the arguments that only a deploy takes."""
    return targets.map(_place) if hasattr(targets, "map") else [_place(one) for one in targets]


def begin(context: Context) -> None:
    """
    Start a mapped task of a wave.

    :raises AirflowSkipException: another mapped task has failed, and this is the first try.
    """
    if (getattr(context["ti"], "try_number", 1) or 1) > 1:
        return
    if broken := _failed(context):
        raise AirflowSkipException(
            f"Not started: {', '.join(broken)} of the same wave has failed. To deploy here anyway, clear "
            "this task."
        )


def _failed(context: Context) -> list[str]:
    """Return the failed mapped task instances of the same task and run."""
    task_instance = context["ti"]
    if (getattr(task_instance, "map_index", -1) or 0) < 0:
        return []
    run, task_id = context["dag_run"], task_instance.task_id
    if hasattr(task_instance, "get_task_states"):
        states = task_instance.get_task_states(
            dag_id=task_instance.dag_id, task_ids=[task_id], run_ids=[task_instance.run_id]
        )
        known = states.get(task_instance.run_id) or {}
        return sorted(one for one, state in known.items() if state == "failed")
    failed = run.get_task_instances(state=["failed"])
    return sorted(f"{one.task_id}_{one.map_index}" for one in failed if one.task_id == task_id)


def _deferred_tasks_count() -> bool:
    """Return whether deferred tasks count for ``max_active_tis_per_dagrun`` (Airflow 3.3; not 2.11)."""
    from airflow import __version__

    return tuple(int(part) for part in __version__.split(".")[:2]) >= (3, 3)
