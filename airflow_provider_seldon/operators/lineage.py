"""
OpenLineage of the rollout operators: model artifacts are the inputs, the deployment is the output.

The package ``apache-airflow-providers-openlineage`` is optional; it is imported only when it calls these
methods. They read nothing: they report the task's own data, also after a deferral.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout


class Lineage:
    """Mixin without a constructor. :meth:`SeldonRolloutOperator.note` gives it the rollout."""

    #: This task's rollout, once known; not the one that undoes it.
    _rollout: Rollout | None = None
    #: Namespace and name of its deployment.
    _deployment: tuple[str, str] | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Return the deployment with its revision as version, and its models; None without a rollout."""
        return self._lineage(serves=True) if self._rollout else None

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage:
        """Return the version that the task tried to deploy, as far as it is known."""
        return self._lineage(serves=False)

    def _lineage(self, *, serves: bool) -> OperatorLineage:
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        from airflow_provider_seldon.assets import SCHEME
        from airflow_provider_seldon.core.rollout.lineage import lineage_name

        inputs = [Dataset(*lineage_name(uri)) for uri in self._model_uris()]
        outputs = []
        if self._deployment:
            namespace, name = self._deployment
            facets = _facets(self._rollout.info) if serves and self._rollout else {}
            outputs = [Dataset(f"{SCHEME}://{namespace}", name, facets=facets)]
        return OperatorLineage(inputs=inputs, outputs=outputs)

    def _model_uris(self) -> list[str]:
        from airflow_provider_seldon.core.rollout.lineage import model_uris, without_credentials

        if self._rollout:
            return model_uris(self._rollout.info, self._rollout.last_available)
        given = getattr(self, "model_uri", None)
        return [without_credentials(given)] if given else []


def _facets(info: ModelServerInfo) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, datasource_dataset

    from airflow_provider_seldon.core.rollout.lineage import without_credentials

    facets: dict[str, Any] = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=info.revision)
    }
    if info.prediction_url:
        facets["dataSource"] = datasource_dataset.DatasourceDatasetFacet(
            name=info.model_name or info.name, uri=without_credentials(info.prediction_url)
        )
    return facets
