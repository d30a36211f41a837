from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

with DAG("my_dag", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    SeldonDeployModelOperator(
        task_id="deploy",
        model_name="iris",
        model_uri="gs://seldon-models/v1.19.0-dev/sklearn/iris",
        implementation="SKLEARN_SERVER",
    )
