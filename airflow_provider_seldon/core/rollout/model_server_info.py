"""Public facts about a model server: the value of an XCom, and of ``get_model_server_info``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_MODEL_NAME,
    ANNOTATION_REVISION,
    ANNOTATION_RUN_ID,
    ANNOTATION_TASK_ID,
)
from airflow_provider_seldon.core.prediction.endpoint import prediction_url
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


@dataclass(frozen=True, kw_only=True)
class ModelServerInfo:
    """
    A model server, in JSON values that are safe to show.

    :param name: name of the SeldonDeployment.
    :param namespace: its namespace.
    :param model_name: name of the model, as the user gave it.
    :param model_uri: URI of the model; "" for a graph without one.
    :param prediction_url: URL for predictions; "" when the connection has no ingress.
    :param state: ``Available``, ``Creating``, ``Failed`` or ``Unknown``.
    :param action: what the deploying task did; "" when the deployment was only read.
    :param revision: content hash of the deployed version.
    :param dag_id: DAG that deployed it; "" when not ours.
    :param task_id: task that deployed it.
    :param run_id: DAG run that deployed it.
    :param decision: decision of the deploying task, with the rule and its numbers.
    """

    name: str
    namespace: str
    model_name: str = ""
    model_uri: str = ""
    prediction_url: str = ""
    state: str = ""
    action: str = ""
    revision: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    decision: str = ""

    @classmethod
    def of(
        cls, deployment: SeldonDeployment, *, ingress_url: str | None, namespace: str, action: str = ""
    ) -> ModelServerInfo:
        """
        Return the facts about a deployment, whoever created it.

        :param ingress_url: base URL of the ingress gateway.
        :param namespace: used when the object has none.
        """
        annotations = deployment.annotations
        node = next((predictor.graph for predictor in deployment.predictors if predictor.graph), None)
        namespace = deployment.namespace or namespace
        name = deployment.name or ""
        protocol = (deployment.spec.protocol if deployment.spec else None) or "seldon"
        url = ""
        if ingress_url:
            url = prediction_url(
                ingress_url, namespace, name, protocol=protocol, node_name=(node.name if node else None) or ""
            )
        return cls(
            name=name,
            namespace=namespace,
            model_name=annotations.get(ANNOTATION_MODEL_NAME, ""),
            model_uri=(node.model_uri if node else None) or "",
            prediction_url=url,
            state=deployment.state.value,
            action=action,
            revision=annotations.get(ANNOTATION_REVISION, ""),
            dag_id=annotations.get(ANNOTATION_DAG_ID, ""),
            task_id=annotations.get(ANNOTATION_TASK_ID, ""),
            run_id=annotations.get(ANNOTATION_RUN_ID, ""),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a dict, for an XCom."""
        return asdict(self)
