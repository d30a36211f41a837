"""Copy a trained model to its serving storage, in the layout that its server expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.triggers.argument_checks import CheckedArguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class SeldonStageModelOperator(CheckedArguments, BaseOperator):
    """
    Stage a trained model: the task between training and deploying.

    The files are copied to a folder below ``target`` that is named after their content, in the layout that
    the server expects: ``model.joblib``, ``model.bst`` or ``model.json``, a numbered TensorFlow version, an
    MLflow folder, a Triton repository, a Hugging Face folder. So a retry copies nothing, a file in use is
    never changed, and a model that the server could not read is refused here instead of failing in a pod.

    Returns, and pushes as separate XComs: ``model_uri`` (to deploy), ``digest``, ``version``, ``action``
    (copied, unchanged), ``files``, ``bytes``, ``pruned``.

    :param source: file or folder that the training wrote, on any storage that Airflow supports.
    :param target: folder for the copies of this model's versions, such as ``s3://models/iris``.
    :param implementation: prepackaged server that will read it, such as ``SKLEARN_SERVER``; None copies the
        files unchanged.
    :param protocol: protocol of the deployment; ``v2`` accepts more file names than Seldon's own servers.
    :param model_name: folder of the model in a Triton repository.
    :param version: number of a TensorFlow version directory; defaults to the next free one.
    :param served_from: URI of the target as the cluster sees it, if that differs, such as ``pvc://models``.
    :param keep: number of copies to keep; older ones are deleted. A copy that a deployment in the namespace
        serves, or could roll back to, is never deleted. None deletes nothing.
    :param source_conn_id: Airflow connection of the source's storage.
    :param target_conn_id: Airflow connection of the target's storage.
    :param seldon_conn_id: Airflow connection of the cluster whose deployments ``keep`` checks.
    :param namespace: namespace of those deployments; defaults to the connection's.
    """

    template_fields: Sequence[str] = (
        "source",
        "target",
        "implementation",
        "protocol",
        "model_name",
        "version",
        "served_from",
        "source_conn_id",
        "target_conn_id",
        "seldon_conn_id",
        "namespace",
    )
    ui_color = "#f4efe6"
    rules = argument_rules.of(
        *(
            "source",
            "target",
            "implementation",
            "protocol",
            "version",
            "served_from",
            "keep",
            "source_conn_id",
        ),
        *("target_conn_id", "seldon_conn_id", "namespace"),
        model_name=argument_rules.TEXT,
    )

    def __init__(
        self,
        *,
        source: str,
        target: str,
        implementation: str | None = None,
        protocol: str | None = None,
        model_name: str = "model",
        version: int | str | None = None,
        served_from: str | None = None,
        keep: int | None = None,
        source_conn_id: str | None = None,
        target_conn_id: str | None = None,
        seldon_conn_id: str = "seldon_default",
        namespace: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.source = source
        self.target = target
        self.implementation = implementation
        self.protocol = protocol
        self.model_name = model_name
        self.version = version
        self.served_from = served_from
        self.keep = keep
        self.source_conn_id = source_conn_id
        self.target_conn_id = target_conn_id
        self.seldon_conn_id = seldon_conn_id
        self.namespace = namespace
        self.check_literals()

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy what is missing, and prune; see the class."""
        from airflow_provider_seldon.delivery.storage.staging import stage_model
        from airflow_provider_seldon.hooks.seldon import SeldonHook

        self.check_arguments()
        staged = stage_model(
            self.source,
            self.target,
            implementation=self.implementation or None,
            protocol=self.protocol or None,
            model_name=self.model_name,
            version=int(self.version) if self.version not in (None, "") else None,
            served_from=self.served_from or None,
            source_conn_id=self.source_conn_id or None,
            target_conn_id=self.target_conn_id or None,
            keep=self.keep,
            hook=SeldonHook(self.seldon_conn_id, namespace=self.namespace or None) if self.keep else None,
        )
        return staged.to_dict()
