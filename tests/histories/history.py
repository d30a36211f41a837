"""One history: its runs, each with its tries, what others do meanwhile, and the oracle that hears of all of it."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_seldon.exceptions import RolloutError, SeldonError
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.histories import oracle as seen
from tests.histories.gateway import Gateway
from tests.histories.oracle import Oracle, Told
from tests.histories.others import HARMLESS, Others, takes_away
from tests.histories.plan import Kill, Plan, Run
from tests.histories.requests import KilledError, Try, as_try
from tests.integration.conftest import context
from tests.integration.task_process import event_of

NAME = "iris"
TRIES = 3
#: Questions to the gateway after a run was told that something serves.
QUESTIONS = 6
#: Seconds by which the gateway may be later with the first route to a deployment.
ROUTE = 3.0
#: Pauses before a container is started again are short here.
POLICY = {
    "suspect_after": 0.3,
    "crash_loop_count": 2,
    "failed_grace": 5.0,
    "waiting": {"ImagePullBackOff": 0.5},
}
OWN = {"created", "updated", "unchanged", "rolled_back"}
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class History:
    """
    Lets a plan happen in its own namespace.

    :param local: the cluster; the Airflow connection leads to it.
    :param gateway: its gateway.
    """

    def __init__(self, local: LocalSeldon, gateway: Gateway, plan: Plan) -> None:
        self._local = local
        self._gateway = gateway
        self._plan = plan
        self._namespace = f"history-{plan.number}"
        self._others = Others(local, self._namespace, NAME)
        orders: dict[str, int] = {}
        for run in plan.runs:
            orders[run.uri] = max(run.order, orders.get(run.uri, 0))
        self.oracle = Oracle(orders)
        self.greens = 0
        self.log: list[str] = []
        self._uris: dict[str, str] = {}
        self._began = time.monotonic()

    def happen(self) -> None:
        """Let it happen; then the oracle knows."""
        self._others.make_namespace()
        self._began = time.monotonic()
        watching = self._gateway.watch(self._namespace, NAME, self.oracle)
        for fault in self._plan.faults_in(self._namespace):
            self._local.faults.add(fault)
        threads = [threading.Thread(target=self._run, args=(run,), daemon=True) for run in self._plan.runs]
        for thread in threads:
            thread.start()
        self._let_others_act()
        for thread in threads:
            thread.join(timeout=180)
        if any(thread.is_alive() for thread in threads):
            self.oracle.violations.append("a run never came to an end")
        time.sleep(0.5)
        self._gateway.leave(watching)
        self._others.leave()

    def tell(self) -> str:
        """Return what happened, for somebody who looks for the reason of a violation."""
        answers: list[str] = []
        for one in self.oracle.answers:
            if not answers or not answers[-1].endswith(f" {one.version} answers"):
                answers.append(f"{self._at(one.began)} {one.version} answers")
        deeds = [
            f"{self._at(one.began)} {f'run {one.by}' if one.by else 'others'}: {one.what}, until {self._at(one.ended)}"
            for one in self.oracle.deeds
        ]
        lines = sorted([*self.log, *answers, *deeds], key=lambda line: float(line.split()[0]))
        wrong = [
            f"VIOLATION {self._at(float(one.split()[0]))} {one.partition(' ')[2]}"
            if one[0].isdigit()
            else one
            for one in self.oracle.violations
        ]
        plan = [repr(one) for one in (*self._plan.runs, *self._plan.deeds, *self._plan.faults)]
        return "\n".join([f"history {self._plan.number}", *plan, *lines, *wrong])

    def _let_others_act(self) -> None:
        for deed in self._plan.deeds:
            self._sleep_until(self._began + deed.at)
            if takes_away(deed):
                self.oracle.about_to_take_away(forgets=deed.what == "delete")
            began = time.monotonic()
            done = self._others.do(deed)
            self._note(f"others: {deed.what}{'' if done else ' (nothing there)'}")
            if done and deed.what not in HARMLESS:
                self.oracle.did(seen.Deed(began, time.monotonic(), deed.what, takes_away=takes_away(deed)))
            if deed.what == "operator down":
                time.sleep(deed.seconds)
                self._others.bring_back()
                self._note("others: the operator is back")

    def _run(self, run: Run) -> None:
        self._sleep_until(self._began + run.start)
        try:
            for number in range(1, TRIES + 1):
                kill = run.kills[number - 1] if number <= len(run.kills) else None
                if self._try(run, number, kill):
                    return
        except Exception:
            self.oracle.violations.append(f"run {run.order} broke: {traceback.format_exc()}")

    def _try(self, run: Run, number: int, kill: Kill | None) -> bool:
        """Run one try; return whether the run has ended."""
        one = Try(
            kill, lambda began, ended, what: self.oracle.did(seen.Deed(began, ended, what, by=run.order))
        )
        began = time.monotonic()
        if run.kind == "roll back":
            self.oracle.about_to_go_back()
        self._note(f"run {run.order} ({run.kind}) begins try {number}")
        try:
            with as_try(one):
                result = self._execute(run, number, kill)
        except KilledError as error:
            self._note(f"run {run.order} was killed {error}")
            return False
        except AirflowSkipException as error:
            self._note(f"run {run.order} was skipped: {error}")
            return True
        except SeldonError as error:
            self._was_told_of_failure(run, error, began)
            return isinstance(error, AirflowFailException) or run.kind == "broken"
        finally:
            for thread in one.late:
                thread.join(timeout=30)
        told = Told(run.order, result["model_uri"], began, time.monotonic(), result["action"] in OWN)
        self._uris[result["revision"]] = result["model_uri"]
        self._was_told(
            told, f"{result['action']} {result['revision']}{' weaker' if 'weaker' in result else ''}"
        )
        return True

    def _was_told_of_failure(self, run: Run, error: SeldonError, began: float) -> None:
        now = time.monotonic()
        self._note(f"run {run.order} failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        back = error.rolled_back_to if isinstance(error, RolloutError) else None
        if back and (version := self._uris.get(back)):
            self._was_told(Told(run.order, version, began, now, own=False), "rolled back")

    def _was_told(self, told: Told, how: str) -> None:
        self.greens += 1
        after = self._gateway.ask(
            self._namespace, NAME, QUESTIONS, patience=0.0 if self._has_served() else ROUTE
        )
        self._note(
            f"run {told.order} was told that {told.version} serves, {how}; {after[0].version} answers",
            told.at,
        )
        self.oracle.told(told, after)

    def _has_served(self) -> bool:
        return any(one.version != seen.NOTHING for one in self.oracle.answers[-2:])

    def _execute(self, run: Run, number: int, kill: Kill | None) -> dict[str, Any]:
        task = context(
            task_id=run.kind,
            run_id=f"run-{run.order}",
            logical_date=FIRST_DAY + timedelta(days=run.order),
            try_number=number,
        )
        step = lambda: self._worker(run).execute(task)  # noqa: E731
        while True:
            try:
                return step()  # type: ignore[no-any-return]
            except TaskDeferred as deferral:
                patience = kill.seconds if kill and kill.moment == "wait" else None
                event = asyncio.run(_event(deferral.trigger, patience))
                resume = getattr(self._worker(run), deferral.method_name)
                step = lambda resume=resume, event=event: resume(task, event)  # noqa: E731

    def _worker(self, run: Run) -> Any:
        common: dict[str, Any] = {
            "task_id": run.kind.replace(" ", "_"),
            "name": NAME,
            "namespace": self._namespace,
            "timeout": run.timeout,
            "deferrable": run.deferrable,
            "failure_policy": POLICY,
        }
        if run.kind == "roll back":
            return SeldonRollbackOperator(**common)
        if run.kind == "scale":
            return SeldonScaleModelOperator(**common, replicas=run.replicas or "configured")
        behaviour = {"extra_args": {"annotations": {"local.seldon/behaviour": run.behaviour}}}
        return SeldonDeployModelOperator(
            **common,
            model_name="iris",
            model_uri=run.uri,
            implementation="SKLEARN_SERVER",
            replicas=run.replicas,
            model_server=behaviour if run.behaviour else None,
            deploy_decision=run.kind != "no",
            on_failure=run.on_failure,  # type: ignore[arg-type]
        )

    def _note(self, text: str, at: float | None = None) -> None:
        self.log.append(f"{self._at(at or time.monotonic())} {text}")

    def _at(self, moment: float) -> str:
        return f"{moment - self._began:6.2f}"

    def _sleep_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))


async def _event(trigger: Any, patience: float | None) -> Any:
    """What a triggerer tells of a trigger; it dies when its patience is over."""
    try:
        return await asyncio.wait_for(event_of(trigger), patience)
    except TimeoutError:
        raise KilledError("while it was deferred") from None
