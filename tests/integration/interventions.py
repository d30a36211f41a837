"""What is done to a DAG run that ``dag.test()`` runs in this process: an answer, one that is too late, a kill."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

TOO_LATE = "nobody answers"


@contextmanager
def answered(option: str | None, *, errors_first: bool) -> Iterator[None]:
    """
    Answer what a human is asked, as Airflow's API does.

    :param option: the answer; ``TOO_LATE`` lets the scheduler find that the timeout has passed. None asks nobody.
    :param errors_first: the candidate has errors from when the answer is waited for, and that is seen before it comes.
    """
    if option is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(option, errors_first, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)


def _answer(option: str, errors_first: bool, over: threading.Event) -> None:
    from sqlalchemy.exc import OperationalError

    # More than once where Airflow's own write of the waiting task comes later and takes the answer back.
    while not over.wait(0.1):
        try:
            _answer_now(option, errors_first)
        except OperationalError:
            continue  # another client is writing
        except BaseException:
            traceback.print_exc()
            os._exit(3)  # nobody would answer, and the run would wait for ever


def _answer_now(option: str, errors_first: bool) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    waiting = select(TaskInstance).where(TaskInstance.state == "awaiting_input")
    with create_session() as session:
        asked = session.scalar(waiting.options(joinedload(TaskInstance.hitl_detail)))
        if asked is None:
            return
        if errors_first:
            os.environ["CANARY_ERRORS"] = "0.5"
            of_run = (TaskInstance.run_id == asked.run_id, TaskInstance.task_id == "watch")
            if session.scalar(select(TaskInstance.state).where(*of_run)) != "failed":
                return
        now = datetime.now(UTC)
        if option == TOO_LATE:
            asked.trigger_timeout = now - timedelta(seconds=1)
            session.commit()
            _scheduler().check_awaiting_input_timeouts(session=session)
            return
        detail = asked.hitl_detail
        detail.chosen_options, detail.params_input, detail.responded_at = [option], {}, now
        session.add(detail)
        handle_event_submit(
            TriggerEvent(detail.as_resume_event_payload()), task_instance=asked, session=session
        )


def _scheduler() -> Any:
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    return SchedulerJobRunner(job=Job())


@contextmanager
def killed(dag: Any, task_id: str | None) -> Iterator[None]:
    """Let a task that leads a canary end where it first waits for its candidate: nothing of it runs after that."""
    if task_id is None:
        yield
        return
    task = dag.task_dict[task_id]
    lead = task._lead
    task._lead = lambda canary: _ended(lead(canary))
    try:
        yield
    finally:
        task._lead = lead


def _ended(leader: Any) -> Any:
    def ends(*_: Any, **__: Any) -> None:
        # No Exception, so no abort follows it, as none follows SIGKILL; Airflow fails the task.
        raise SystemExit(9)

    leader.pause = ends
    return leader
