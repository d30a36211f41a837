"""
Owner, equivalents and name of a deployment.

Equivalence is always confirmed by the annotations, because labels may be shortened. All functions are pure:
the same in every process and Python version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_MAP_INDEX,
    ANNOTATION_MODEL_NAME,
    ANNOTATION_RUN_ID,
    ANNOTATION_TASK_ID,
    LABEL_DAG_ID,
    LABEL_MANAGED_BY,
    LABEL_MODEL_NAME,
    LABEL_TASK_ID,
    MANAGER,
)
from airflow_provider_seldon.core.identity.generated_name import generated_name
from airflow_provider_seldon.core.identity.label_value import label_value
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


@dataclass(frozen=True, kw_only=True)
class Identity:
    """
    The part of a request that determines which deployments are versions of the same model.

    :param dag_id: id of the DAG; empty outside of one.
    :param task_id: id of the task; empty outside of one.
    :param model_name: name of the model.
    :param run_id: id of the DAG run. Distinguishes deployments only when they do not replace each other.
    :param map_index: index of a mapped task instance, -1 when it is not mapped; used in the same cases as
        ``run_id``.
    """

    dag_id: str = ""
    task_id: str = ""
    model_name: str = ""
    run_id: str = ""
    map_index: int = -1

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self:
        """Read back the identity of a deployment of this provider."""
        present = deployment.annotations
        return cls(
            dag_id=present.get(ANNOTATION_DAG_ID, ""),
            task_id=present.get(ANNOTATION_TASK_ID, ""),
            model_name=present.get(ANNOTATION_MODEL_NAME, ""),
            run_id=present.get(ANNOTATION_RUN_ID, ""),
            map_index=map_index_in(present),
        )

    def labels(self) -> dict[str, str]:
        """Return the labels to find deployments of this identity: legal values, without empty ones."""
        values = {LABEL_DAG_ID: self.dag_id, LABEL_TASK_ID: self.task_id, LABEL_MODEL_NAME: self.model_name}
        return {LABEL_MANAGED_BY: MANAGER} | {key: label_value(text) for key, text in values.items() if text}

    def annotations(self) -> dict[str, str]:
        """Return the full, unshortened values, without empty ones."""
        index = str(self.map_index) if self.map_index >= 0 else ""
        values = self._equivalence() | {ANNOTATION_RUN_ID: self.run_id, ANNOTATION_MAP_INDEX: index}
        return {key: text for key, text in values.items() if text}

    def selector(self) -> str:
        """Return the label selector that finds all equivalents, and rarely others (see ``matches``)."""
        return ",".join(f"{key}={value}" for key, value in self.labels().items())

    def matches(self, deployment: SeldonDeployment) -> bool:
        """
        Return whether ``deployment`` is an equivalent: ours, and of the same DAG, task and model.

        Compares the annotations. A value that is empty in this identity must be missing there too.
        """
        present = deployment.annotations
        return is_managed(deployment) and all(
            present.get(key, "") == text for key, text in self._equivalence().items()
        )

    def deployment_name(self, *, replace: bool) -> str:
        """
        Return the name of this identity's deployment: a DNS-1035 label of at most 36 characters.

        :param replace: True results in one name per DAG, task and model, so that the URL stays; False also
            includes run and map index. In both cases a retry finds what the first try created.
        """
        parts: list[str | int] = [self.dag_id, self.task_id, self.model_name]
        if not replace:
            parts += [self.run_id, self.map_index]
        return generated_name(self.model_name, parts)

    def _equivalence(self) -> dict[str, str]:
        return {
            ANNOTATION_DAG_ID: self.dag_id,
            ANNOTATION_TASK_ID: self.task_id,
            ANNOTATION_MODEL_NAME: self.model_name,
        }


def map_index_in(annotations: Mapping[str, str]) -> int:
    """Return the index of the mapped task that wrote these annotations; -1 for none, or an unreadable one."""
    index = annotations.get(ANNOTATION_MAP_INDEX, "")
    # Python refuses to read longer numbers.
    return int(index) if index.isascii() and index.isdecimal() and len(index) < 40 else -1


def is_managed(deployment: SeldonDeployment) -> bool:
    """Return whether this provider created ``deployment``."""
    return deployment.labels.get(LABEL_MANAGED_BY) == MANAGER
