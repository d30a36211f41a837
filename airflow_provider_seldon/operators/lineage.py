"""
OpenLineage of the operators that roll out: model artifacts in, the deployment out.

The package ``apache-airflow-providers-openlineage`` is optional; it is imported only when it calls these methods. They
read nothing from anywhere: what they tell is what the task knows from its own work, also after a deferral.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout


class Lineage:
    """Mixin; it has no constructor. :meth:`SeldonRolloutOperator.note` tells it what was done."""

    #: What this task did, once it is known; not what it did to undo that.
    _rollout: Rollout | None = None
    #: Namespace and name of the deployment that it did that to.
    _deployment: tuple[str, str] | None = None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Return what serves and what it was made from, with the revision as version; None where nothing does."""
        return self._lineage(serves=True) if self._rollout else None

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage:
        """Return what should have served, as far as the task got to know it."""
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
