"""Apply any SeldonDeployment: inference graphs, A/B tests, shadows, explainers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.request.argument_rules import RULES, needed
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator

#: Arguments that the manifest itself contains.
_IN_THE_MANIFEST = ("model_uri", "implementation")


class SeldonApplyOperator(SeldonDeployModelOperator):
    """
    Apply a SeldonDeployment that the user wrote, and wait until all of it is ready.

    Like ``kubectl apply``, with everything that
    :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator` adds: an unchanged manifest
    writes nothing, a retry continues where the earlier try ended, a version that does not become ready is
    diagnosed and rolled back, and an older run does not undo a newer one.

    :param manifest: a whole SeldonDeployment, its spec, a predictor or a graph: dict, YAML text, or the path
        of a ``.yaml`` file, relative to the DAG's. Templated, including the file.
    :param name: name of the deployment; defaults to the manifest's ``metadata.name``.
    :param model_name: the model that the deployment is a version of; defaults to its name. Without either,
        the task fails and sends nothing.
    :param kwargs: see :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator`, such as
        ``smoke_test``, ``dry_run``, ``adopt``, ``drop_unknown_fields``, ``on_failure``, ``deferrable``.
    """

    ui_color = "#e4eef4"
    rules = {**SeldonDeployModelOperator.rules, "manifest": needed(RULES["manifest"])}  # noqa: RUF012

    def __init__(
        self,
        *,
        manifest: Mapping[str, Any] | str,
        name: str | None = None,
        model_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for field in _IN_THE_MANIFEST:
            if kwargs.get(field) is not None:
                raise InvalidModelServerError.of(
                    type(self).__name__, f"it takes no {field}: the manifest contains it"
                )
        super().__init__(manifest=manifest, name=name, model_name=model_name, **kwargs)

    def _given(self) -> dict[str, Any]:
        from airflow_provider_seldon.core.request.user_manifest import read

        given = super()._given()
        if "manifest" in given:
            given["manifest"] = self._read(read, given["manifest"])
        own_name = given.get("manifest", {}).get("metadata", {}).get("name")
        default = given.get("name") or own_name
        return {"model_name": default, **given} if default else given
