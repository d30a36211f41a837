"""One canary: what is deployed before, its task with its tries, what comes between, and how it is brought to an end."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_seldon.analysis import Analysis, ErrorRatio, Latency, Shadow
from airflow_provider_seldon.delivery.reaping.reaper import Reaper, Terms
from airflow_provider_seldon.delivery.reaping.report import Report
from airflow_provider_seldon.exceptions import CanaryAbortedError, ReplacedError, SeldonError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.client.errors import ApiError
from airflow_provider_seldon.local.client.kinds import NAMESPACES, SELDON_DEPLOYMENTS
from airflow_provider_seldon.local.cluster import LocalSeldon, Misbehaviour
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.canaries.doors import Doors
from tests.canaries.oracle import End, Oracle, uri
from tests.canaries.plan import Plan
from tests.canaries.traffic import NOTHING, Answer, Stream, Traffic
from tests.histories.plan import Kill
from tests.histories.requests import KilledError, Try, as_try
from tests.integration.conftest import context
from tests.integration.task_process import event_of

TRIES = 4
#: Requests a second, and those where there is no traffic worth the name.
RATE, SILENCE = 20.0, 0.5
#: Seconds that a step bakes.
BAKE = 3.0
#: Questions to the gateway after a run was told of an end.
QUESTIONS = 6
#: Seconds by which the gateway may be later with the first route to a deployment.
ROUTE = 3.0
#: Seconds after which one version has all of the traffic when all is over.
SETTLES = 30.0
#: Seconds until what comes between comes, where the candidate never answers.
LONGEST_WAIT = 10.0
#: Limits that a good candidate is far from, and a bad one far beyond, however busy the machine is.
LIMITS = Analysis(
    metrics=[
        ErrorRatio(at_most=0.2, at_most_ratio=2, at_most_delta=0.1),
        Latency(at_most_ratio=4, at_most_delta=0.7),
    ],
    min_requests=25,
    failure_limit=1,
)
POLICY = {
    "suspect_after": 0.3,
    "crash_loop_count": 2,
    "failed_grace": 5.0,
    "waiting": {"ImagePullBackOff": 0.5},
}
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
#: Whose runs are of which day.
DAYS = {"baseline": 0, "older run": 1, "canary": 2, "newer run": 3}


class Scenario:
    """
    Lets a plan happen in its own namespace.

    :param local: the cluster; the Airflow connection leads to it.
    :param doors: to the metrics.
    :param traffic: to its gateway.
    """

    def __init__(self, local: LocalSeldon, doors: Doors, traffic: Traffic, plan: Plan) -> None:
        self._local = local
        self._doors = doors
        self._traffic = traffic
        self._plan = plan
        self._namespace = f"canary-{plan.number}"
        self._name = f"iris-{plan.number}"
        self._path = f"{self._namespace}/{self._name}"
        self._prometheus = f"prometheus_{plan.number}"
        self.oracle = Oracle(plan)
        self.log: list[str] = []
        self._began = time.monotonic()
        self._over = threading.Event()

    def happen(self) -> None:
        """Let it happen; then the oracle knows."""
        self._make()
        stream = Stream(self._path, RATE, self.oracle.answered)
        try:
            self._run_before()
            if self._plan.event == "no traffic":
                stream.rate = SILENCE
            self._wait_for_the_route()
            self._traffic.begin(stream)
            for fault in self._plan.faults_in(self._namespace):
                self._local.faults.add(fault)
            between = threading.Thread(target=self._between, daemon=True)
            between.start()
            self._lead()
            self._over.set()
            between.join(timeout=180)
            self._conclude()
        except Exception:
            self.oracle.violations.append(f"it broke: {traceback.format_exc()}")
        finally:
            stream.over = True
            self._leave()

    def tell(self) -> str:
        """Return what happened, for somebody who looks for the reason of a violation."""
        seconds: dict[int, Counter[str]] = {}
        for one in self.oracle.answers:
            seconds.setdefault(int(one.began - self._began), Counter())[one.version] += 1
        told = [
            f"{second:6.2f} answers: {', '.join(f'{count} {who}' for who, count in sorted(counted.items()))}"
            for second, counted in seconds.items()
        ]
        lines = sorted([*self.log, *told], key=lambda line: float(line.split()[0]))
        wrong = [
            f"VIOLATION {self._at(float(one.split()[0]))} {one.partition(' ')[2]}"
            if one[0].isdigit()
            else one
            for one in self.oracle.violations
        ]
        return "\n".join(
            [f"canary {self._plan.number}", repr(self._plan), repr(self._plan.faults), *lines, *wrong]
        )

    # -- the canary's own runs ---------------------------------------------------------------------------

    def _run_before(self) -> None:
        behaviour = "crash-after:12" if self._plan.event == "baseline crashes" else ""
        self._deploy("baseline", {"local.seldon/behaviour": behaviour} if behaviour else {})

    def _wait_for_the_route(self) -> None:
        """The gateway may learn of the first route to a deployment later than those who watch its status."""
        until = time.monotonic() + ROUTE
        while self._traffic.ask(self._path, 1)[0].version == NOTHING and time.monotonic() < until:
            time.sleep(0.02)

    def _lead(self) -> None:
        """The tries of the canary's task, as Airflow makes them."""
        self._began_task = time.monotonic()
        tries = (
            len(self._plan.kills) if self._plan.fate in {"teardown", "abandoned", "ended by user"} else TRIES
        )
        for number in range(1, tries + 1):
            kill = self._plan.kills[number - 1] if number <= len(self._plan.kills) else None
            if self._try(number, kill):
                return

    def _try(self, number: int, kill: Kill | None) -> bool:
        """Run one try; return whether the run has ended."""
        self._note(f"the canary's task begins try {number}")
        one = Try(kill, lambda *_: None)
        try:
            with as_try(one):
                result = self._execute(number, kill)
        except KilledError as error:
            self._told("canary", "killed", str(error))
            return False
        except AirflowSkipException as error:
            self._told("canary", "skipped", str(error))
            return True
        except CanaryAbortedError as error:
            self._told("canary", "aborted" if error.rolled_back_to else "failed", str(error))
            return True
        except SeldonError as error:
            replaced = isinstance(error, ReplacedError)
            self._told("canary", "replaced" if replaced else "failed", f"{type(error).__name__}: {error}")
            return replaced or isinstance(error, AirflowFailException)
        finally:
            for thread in one.late:
                thread.join(timeout=30)
        held = result["action"] == "held"
        self._told("canary", "held" if held else "promoted", str(result["action"]))
        return True

    def _execute(self, number: int, kill: Kill | None) -> dict[str, Any]:
        task = self._context("canary", try_number=number)
        worker = self._canary()
        step = lambda: worker.execute(task)  # noqa: E731
        while True:
            try:
                return step()  # type: ignore[no-any-return]
            except KilledError:
                if self._plan.fate == "ended by user":
                    self._end_on_worker(worker)
                raise
            except TaskDeferred as deferral:
                event = self._deferred(deferral.trigger, kill)
                worker = self._canary()
                resume = getattr(worker, deferral.method_name)
                step = lambda resume=resume, event=event: resume(task, event)  # noqa: E731

    def _deferred(self, trigger: Any, kill: Kill | None) -> Any:
        """What a triggerer tells of a trigger; it dies, or a user ends the task, when the patience is over."""
        patience = kill.seconds if kill and kill.moment == "wait" else None

        async def event() -> Any:
            try:
                return await asyncio.wait_for(event_of(trigger), patience)
            except TimeoutError:
                if self._plan.fate == "ended by user":
                    await trigger.on_kill()
                    self._told("canary", "ended", "while it was deferred")
                raise KilledError("while it was deferred") from None

        return asyncio.run(event())

    def _end_on_worker(self, worker: Any) -> None:
        """Airflow calls this where a user ends a task that runs; it is alive for that."""
        with as_try(Try(None, lambda *_: None)):
            worker.on_kill()
        if worker._leader is not None:
            self._told("canary", "ended", "on its worker")

    def _canary(self) -> SeldonCanaryOperator:
        first = [Shadow(bake=BAKE)] if self._plan.shadow else []
        behaviour = {"extra_args": {"annotations": self._plan.annotations}}
        return SeldonCanaryOperator(
            **self._common("canary"),
            **self._model("candidate"),
            **self._plan.arguments(),
            model_server=behaviour if self._plan.annotations else None,
            steps=[*first, 25, 50],
            bake=BAKE,
            look_interval=1.0,
            analysis=LIMITS,
            prometheus_conn_id=self._prometheus,
            failure_policy=POLICY,
        )

    # -- what comes between ------------------------------------------------------------------------------

    def _between(self) -> None:
        try:
            until = time.monotonic() + LONGEST_WAIT
            while self.oracle.tried is None and time.monotonic() < until and not self._over.is_set():
                time.sleep(0.05)
            if self._plan.candidate == "errs later":
                self._local.misbehaviours.order(
                    Misbehaviour(error_rate=0.6), deployment=self._name, predictor="canary"
                )
                self._note("others: the candidate errs from now on")
            if not self._over.wait(self._plan.at):
                self._let_come()
        except Exception:
            self.oracle.violations.append(f"what came between broke: {traceback.format_exc()}")

    def _let_come(self) -> None:
        event = self._plan.event
        self._note(f"others: {event}")
        if event in {"newer run", "older run"}:
            self._run_of_others(event)
        elif event in {"scrape gap", "Prometheus down"}:
            shut = self._doors.unscraped if event == "scrape gap" else self._doors.unanswered
            shut.add(self._namespace)
            self._over.wait(self._plan.seconds)
            shut.discard(self._namespace)
        elif event == "operator down":
            self._local.pause_operator(self._namespace)
            self._over.wait(self._plan.seconds)
            self._local.resume_operator(self._namespace)
        self._note(f"others: {event} is over")

    def _run_of_others(self, who: str) -> None:
        self.oracle.began(who, time.monotonic())
        for number in range(1, TRIES + 1):
            try:
                if who == "newer run" and not self._plan.plain:
                    self._canary_of_others(number)
                else:
                    self._deploy(who, {}, number)
            except AirflowSkipException as error:
                self._told(who, "skipped", str(error))
                return
            except SeldonError as error:
                self._note(f"{who} failed: {type(error).__name__}: {error}"[:300])
                if isinstance(error, AirflowFailException):
                    break
            else:
                self._told(who, "deployed")
                return
        self._told(who, "failed")

    def _canary_of_others(self, number: int) -> None:
        task = SeldonCanaryOperator(
            **self._common("newer run"),
            **self._model("newer run"),
            timeout=60.0,
            deferrable=False,
            steps=[25],
            bake=0.5,
            failure_policy=POLICY,
        )
        task.execute(self._context("newer run", try_number=number))

    def _deploy(self, who: str, annotations: dict[str, str], number: int = 1) -> None:
        task = SeldonDeployModelOperator(
            **self._common(who),
            **self._model(who),
            timeout=180.0,
            deferrable=False,
            model_server={"extra_args": {"annotations": annotations}} if annotations else None,
            failure_policy=POLICY,
        )
        task.execute(self._context(who, try_number=number))

    # -- its end -----------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        self._local.resume_operator(self._namespace)
        fate = self._plan.fate
        if fate == "approved" and self.oracle.how_it_ended == "held":
            self._decide(SeldonPromoteCanaryOperator(**self._decision("promote")), "promoted")
        elif (fate == "rejected" and self.oracle.how_it_ended == "held") or fate == "teardown":
            self._decide(SeldonAbortCanaryOperator(**self._decision("abort")), "aborted")
        self._look(reaped=False)
        self._reap()
        self._look(reaped=True)
        self.oracle.serves_finally(time.monotonic(), self._settled())

    def _settled(self) -> list[Answer]:
        """What answers in the end: nobody has waited for an abort that a user, or an error, has brought about."""
        until = time.monotonic() + SETTLES
        while True:
            answers: list[Answer] = self._traffic.ask(self._path, 2 * QUESTIONS)
            if len({one.version for one in answers}) == 1 or time.monotonic() > until:
                return answers
            time.sleep(0.2)

    def _decide(self, task: Any, how: str) -> None:
        for number in range(1, TRIES + 1):
            try:
                result = task.execute(self._context("canary", task_id=task.task_id, try_number=number))
            except SeldonError as error:
                self._note(f"{task.task_id} failed: {type(error).__name__}: {error}"[:300])
                continue
            # A teardown after a task that was killed right after its last write has nothing to abort.
            if how == "promoted" or result["aborted"]:
                self._told("canary", how, f"by {task.task_id}")
            return

    def _reap(self) -> None:
        """What the reaper does once a lease has expired."""
        target = SeldonHook(namespace=self._namespace).target
        for _ in range(TRIES):
            report = Report(dry_run=False)
            terms = Terms(grace=10.0**9, timeout=60.0)
            with suppress(SeldonError):
                reaper = Reaper(
                    target=target, terms=terms, report=report, clock=lambda: time.time() + 10.0**6
                )
                reaper.reap(target.client.find())
                self._note(f"the reaper: {report.to_json()}")
                if not report.errors:
                    return

    def _look(self, *, reaped: bool) -> None:
        found = self._call(self._local._api.get(SELDON_DEPLOYMENTS, self._namespace, self._name))
        annotations = json.dumps(found["metadata"].get("annotations") or {})
        self.oracle.left(time.monotonic(), annotations, reaped=reaped)

    # -- helpers -----------------------------------------------------------------------------------------

    def _common(self, who: str) -> dict[str, Any]:
        return {"task_id": who.replace(" ", "_"), "name": self._name, "namespace": self._namespace}

    def _model(self, who: str) -> dict[str, Any]:
        return {"model_name": "iris", "model_uri": uri(who), "implementation": "SKLEARN_SERVER"}

    def _decision(self, task_id: str) -> dict[str, Any]:
        common = {"task_id": task_id, "name": self._name, "namespace": self._namespace}
        return {**common, "timeout": self._plan.timeout, "deferrable": False, "failure_policy": POLICY}

    def _context(self, who: str, **more: Any) -> Any:
        day = FIRST_DAY + timedelta(days=DAYS[who])
        given = {"task_id": who.replace(" ", "_"), "run_id": f"run-{DAYS[who]}", "logical_date": day}
        return context(**{**given, **more})

    def _told(self, who: str, how: str, text: str = "") -> None:
        at = time.monotonic()
        asked = how in {"promoted", "aborted", "deployed"}
        after = self._traffic.ask(self._path, QUESTIONS) if asked else []
        answer = f"; {after[0].version} answers" if after else ""
        self._note(f"{who} was told {how}: {' '.join(text.split())[:400]}{answer}", at)
        self.oracle.told(End(at, who, how, text), after)

    def _make(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}}
        self._call(self._local._api.create(NAMESPACES, body))
        host, _, port = self._doors.url.removeprefix("http://").partition(":")
        connection = {
            "conn_type": "http",
            "host": f"http://{host}:{port}/prometheus/{self._namespace}",
            "extra": {"timeout": 5, "retries": 1},
        }
        os.environ[f"AIRFLOW_CONN_{self._prometheus.upper()}"] = json.dumps(connection)

    def _leave(self) -> None:
        self._local.resume_operator(self._namespace)
        os.environ.pop(f"AIRFLOW_CONN_{self._prometheus.upper()}", None)
        with suppress(ApiError):
            where = (SELDON_DEPLOYMENTS, self._namespace, self._name)
            self._call(self._local._api.delete(*where, propagation="Background"))

    def _call(self, work: Any) -> Any:
        assert self._local._thread is not None
        return self._local._thread.run(work)

    def _note(self, text: str, at: float | None = None) -> None:
        self.log.append(f"{self._at(at or time.monotonic())} {text}")

    def _at(self, moment: float) -> str:
        return f"{moment - self._began:6.2f}"
