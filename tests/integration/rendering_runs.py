"""
Runs a DAG of every kind of task with ``dag.test()``, so that Airflow renders each for real; answers each task's state.

``python -m tests.integration.rendering_runs``; Airflow's home and the connection come with the environment.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.models.dagbag import DagBag
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor
from tests.clusters import patience
from tests.python_process import answer

FILE = "graph.yaml"
GRAPH = "name: classifier\nimplementation: SKLEARN_SERVER\nmodelUri: s3://models/{{ params.model }}\n"
NAME = "{{ params.model }}"
ROWS = "{{ [[1.0]] | tojson }}"
IRIS: dict[str, Any] = {
    "model_name": NAME,
    "name": NAME,
    "implementation": "SKLEARN_SERVER",
    "timeout": patience(60),
    "model_server": "{{ {'labels': {'file': 'labels.yaml'}} | tojson }}",
    "smoke_test": {"data": ROWS},
    "metrics": "{{ {'auc': 0.9} | tojson }}",
}


def is_a_prediction(answered: Any) -> bool:
    """Say whether an answer has rows."""
    return len(answered["data"]["ndarray"]) == 1


with DAG(
    "rendered",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    schedule=None,
    params={"model": "iris"},
    template_searchpath=os.environ["AIRFLOW_HOME"],
):
    home = os.environ["AIRFLOW_HOME"]
    (
        SeldonStageModelOperator(
            task_id="stage", source=f"{home}/trained/{NAME}.yaml", target=f"{home}/models"
        )
        # A path that ends like a template file is none outside of manifest.
        >> SeldonDeployModelOperator(task_id="deploy", model_uri="s3://models/iris.yaml", **IRIS)
        >> SeldonDeployModelOperator(
            task_id="replace", model_uri="s3://models/iris.yml", replicas="{{ 1 }}", **IRIS
        )
        >> SeldonApplyOperator(task_id="apply", manifest=FILE, name="graph", timeout=patience(60))
        >> SeldonPredictOperator(task_id="ask", name=NAME, data=ROWS, expected=is_a_prediction)
        >> SeldonScaleModelOperator(task_id="scale", name=NAME, replicas="{{ 2 }}", timeout=patience(60))
        >> SeldonRollbackOperator(task_id="roll_back", name=NAME, to="{{ 'previous' }}", timeout=patience(60))
        >> SeldonDeploymentSensor(task_id="wait", name=NAME, timeout=patience(60))
        >> SeldonDeleteModelOperator.partial(task_id="delete").expand(name=["iris", "graph"])
    )


def main() -> None:
    """Run it."""
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    tasks = bag.dags["rendered"].test().get_task_instances()
    answer({f"{one.task_id}{one.map_index if one.map_index >= 0 else ''}": str(one.state) for one in tasks})


if __name__ == "__main__":
    Path(os.environ["AIRFLOW_HOME"], FILE).write_text(GRAPH)
    Path(os.environ["AIRFLOW_HOME"], "trained").mkdir(exist_ok=True)
    Path(os.environ["AIRFLOW_HOME"], "trained", "iris.yaml").write_text("a model")
    main()
