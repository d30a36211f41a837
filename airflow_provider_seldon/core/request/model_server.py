"""
``ModelServer``: what a DAG author requests, and the conversion to a SeldonDeployment and back.

It holds the arguments and checks them: unknown names, types, contradictions, credentials in plain text.
``spec`` builds the resource from single arguments, ``user_manifest`` from a whole graph or manifest. The
request is stored with the resource, in the ``config`` annotation, so that a deployment found on a cluster
yields the ``ModelServer`` that created it. ``validation`` checks admission rules; nothing is sent from here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from airflow_provider_seldon.core.credentials.model_uri import served_uri
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_CONFIG, ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.revision import deployment_revision, stamped
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request import spec, user_manifest
from airflow_provider_seldon.core.request.argument_problems import (
    argument_problems,
    literal_problems,
    problems_of,
)
from airflow_provider_seldon.core.request.model_server_fields import ModelServerFields
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.resource.manifest import json_copy
from airflow_provider_seldon.core.resource.parameters import as_text
from airflow_provider_seldon.core.resource.pruning import without_empty_maps
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.scaling import replicas

#: Kubernetes allows 256 KiB for all annotations of an object, and two of them contain the config.
MAX_CONFIG_BYTES = 100_000

_TEXT = "text that is not empty"
_EXPECTED = {
    "model_name": "the name of the model (text)",
    "model_uri": "the URI of the model's files (text, e.g. s3://bucket/path)",
    "implementation": "the name of a prepackaged server (text, e.g. SKLEARN_SERVER)",
    "protocol": "one of seldon, v2, kfserving, tensorflow",
    "replicas": "a whole number of 0 or more",
    "secret_name": _TEXT,
    "service_account": _TEXT,
    "image": _TEXT,
    "name": _TEXT,
    "predictor_name": _TEXT,
    "node_name": _TEXT,
    "parameters": "a dict of name to text, number or boolean",
    "env": "a dict of name to text, or a list of Kubernetes EnvVar dicts",
    "command": "a list of text",
    "args": "a list of text",
    "image_pull_secrets": "a list of names of Secrets",
    "labels": "a dict of text to text",
    "annotations": "a dict of text to text",
    "manifest": "a dict or YAML text",
    **dict.fromkeys(("model_metadata", "extra_args", "resources"), "a dict"),
}


class ModelServer(ModelServerFields):
    """
    A model server as the user specifies it.

    Create one with ``create`` or ``parse``, which report problems by name and fix; the constructor itself
    raises pydantic's error. Specify the server with ``implementation`` (a prepackaged server), ``image``
    (your own container), both (a prepackaged server with another image), or ``manifest``.

    :param model_name: name of the model; together with DAG and task it determines which deployments are
        versions of it.
    :param model_uri: URI from which the storage initializer copies the model's files. With your own ``image``
        this needs Seldon Core 1.17.1 or later; the files are in ``/mnt/models``.
    :param implementation: prepackaged server, e.g. ``SKLEARN_SERVER``, or a name that your cluster's admin
        added.
    :param protocol: ``seldon`` (the operator's default), ``v2``, ``kfserving`` (the same) or ``tensorflow``.
    :param replicas: number of pods, which overrides ``kubectl scale``. Without it there is one pod, until
        ``kubectl scale`` or an autoscaler sets another number.
    :param secret_name: Secret whose keys the storage initializer gets as its environment.
    :param service_account: service account of the pods.
    :param parameters: parameters of the server; the Python type determines the CRD's type.
    :param model_metadata: passed to the model's container as JSON in the variable ``MODEL_METADATA``.
    :param extra_args: further predictor fields by the CRD's names: ``annotations``, ``explainer``,
        ``labels``, ``progressDeadlineSeconds``, ``shadow``, ``ssl``, ``svcOrchSpec``, ``traffic``, of its
        pods ``hpaSpec``, ``kedaSpec``, ``pdbSpec``, and in ``container`` further fields of the model's
        container, such as ``ports``, ``readinessProbe``, ``startupProbe``, ``volumeMounts``.
    :param resources: ``requests`` and ``limits`` of the model's container.
    :param env: environment of the model's container. Literals that look like credentials are refused.
    :param image: container image.
    :param command: command of the container.
    :param args: arguments of the container.
    :param image_pull_secrets: names of Secrets for the image registry.
    :param labels: labels of the SeldonDeployment.
    :param annotations: annotations of the SeldonDeployment.
    :param name: name of the SeldonDeployment; by default derived from the identity.
    :param manifest: instead of the single arguments, a whole SeldonDeployment, its ``spec``, one predictor or
        one graph node, as a dict or YAML text; see ``user_manifest`` for what may be combined with it.
    :param predictor_name: name of the predictor.
    :param node_name: name of the graph node and of its container; part of the URL in the v2 protocol.
    """

    @classmethod
    def create(cls, **arguments: Any) -> Self:
        """
        Create a ModelServer from its arguments.

        :raises InvalidRequestError: lists every problem; an unknown argument with the nearest valid one.
        """
        return cls.parse(arguments)

    @classmethod
    def parse(cls, arguments: Mapping[str, Any], *, stored: bool = False) -> Self:
        """
        Create a ModelServer from a mapping of arguments; like ``create``.

        :param stored: they are already deployed, maybe by an earlier release that accepted more.
        """
        if not isinstance(arguments, Mapping):
            raise InvalidRequestError.of(
                "model_server", f"is a {type(arguments).__name__}", "give a mapping of arguments"
            )
        try:
            return cls.model_validate(dict(arguments), context={"stored": stored})
        except ValidationError as error:
            raise InvalidRequestError(problems_of(error, cls.model_fields.keys(), _EXPECTED)) from None

    @classmethod
    def from_deployment(cls, deployment: SeldonDeployment) -> Self:
        """
        Return the ModelServer that created ``deployment``.

        :raises InvalidRequestError: it has no config, or one that this version cannot read.
        """
        field = f"metadata.annotations[{ANNOTATION_CONFIG}]"
        text = deployment.annotations.get(ANNOTATION_CONFIG)
        if not text:
            raise InvalidRequestError.of(
                field, f"{deployment.name!r} has no config", "deploy it with this provider"
            )
        try:
            return cls.parse(json.loads(text), stored=True)
        except InvalidRequestError:
            raise
        except (ValueError, TypeError, RecursionError):
            raise InvalidRequestError.of(field, "is not JSON", "deploy the model server again") from None

    def to_config(self) -> dict[str, Any]:
        """Return the arguments that are not defaults, as JSON data for ``parse``."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def namespace(self) -> str | None:
        """The namespace that the user's manifest names, if any."""
        namespace = (self.manifest or {}).get("metadata", {}).get("namespace")
        return namespace if isinstance(namespace, str) else None

    @property
    def sent_protocol(self) -> str:
        """The protocol of prediction requests: the request's, its manifest's, or the operator's default."""
        spec = (self.manifest or {}).get("spec", {})
        return str(self.protocol or spec.get("protocol") or "seldon")

    def to_deployment(
        self,
        *,
        identity: Identity,
        namespace: str | None = None,
        replace: bool = True,
        secret_name: str | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> SeldonDeployment:
        """
        Return the SeldonDeployment for this model server.

        Each predictor is stamped with the revision of its content, and the deployment with its own; both are
        the same for the same request in every process. If the request leaves a number of pods open, one is
        added that does not count for the revisions.

        :param identity: the DAG task that deploys it.
        :param namespace: its namespace; must not contradict the manifest's.
        :param replace: whether versions of the model share one name, see ``Identity.deployment_name``.
        :param secret_name: Secret with storage credentials, used if the request names none.
        :param annotations: further annotations of this provider, e.g. the order token.
        :raises InvalidRequestError: identity, namespace and request contradict each other, or the request is
            too large for an annotation.
        """
        identity = self._own(identity)
        if self.manifest is None:
            manifest: dict[str, Any] = {"metadata": {}, "spec": spec.spec(self, secret_name)}
        else:
            manifest = user_manifest.complete(self, secret_name)
        given = manifest["metadata"]
        manifest["metadata"] = {
            **given,
            "name": self.name or given.get("name") or identity.deployment_name(replace=replace),
            **_namespace(given.get("namespace"), namespace),
            "labels": {**given.get("labels", {}), **self.labels, **identity.labels()},
            "annotations": {**given.get("annotations", {}), **self.annotations, **identity.annotations()},
        }
        predictors = manifest["spec"].get("predictors")
        if isinstance(predictors, list):
            manifest["spec"]["predictors"] = [
                stamped(predictor) if isinstance(predictor, dict) else predictor for predictor in predictors
            ]
        # Not when the manifest is read: the stamps of deployed versions include what it said.
        manifest["spec"] = without_empty_maps(manifest["spec"])
        manifest["metadata"]["annotations"] |= {
            ANNOTATION_CONFIG: self._config_text(),
            ANNOTATION_REVISION: deployment_revision(manifest),
            **spec.model_annotations(manifest["spec"]),
            **(annotations or {}),
        }
        manifest["spec"] = replicas.completed(manifest["spec"])
        return SeldonDeployment.from_manifest({**manifest, "apiVersion": API_VERSION, "kind": KIND})

    def _own(self, identity: Identity) -> Identity:
        if identity.model_name not in ("", self.model_name):
            raise InvalidRequestError.of(
                "model_name",
                f"is {self.model_name!r}, but the identity says {identity.model_name!r}",
                "use one name",
            )
        return dataclasses.replace(identity, model_name=self.model_name)

    def _config_text(self) -> str:
        text = canonical_json(self.to_config())
        if len(text) > MAX_CONFIG_BYTES:
            raise InvalidRequestError.of(
                "manifest" if self.manifest else "model_server",
                f"is {len(text)} bytes of JSON; at most {MAX_CONFIG_BYTES} fit into the resource's "
                "annotations",
                "move large values into a ConfigMap or into the image",
            )
        return text

    @model_validator(mode="before")
    @classmethod
    def _copy(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: json_copy(value, str(key)) for key, value in data.items()}

    @field_validator("model_uri", mode="after")
    @classmethod
    def _as_rclone_reads_it(cls, given: str | None) -> str | None:
        return served_uri(given) if given else given

    @field_validator("manifest", mode="before")
    @classmethod
    def _read_manifest(cls, given: Any) -> Any:
        return given if given is None else user_manifest.read(given)

    @field_validator("env", mode="before")
    @classmethod
    def _env_values_as_text(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            name: as_text(value) if isinstance(value, bool | int | float) else value
            for name, value in given.items()
        }

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        rules = spec.problems if self.manifest is None else user_manifest.problems
        problems = [*argument_problems(self), *rules(self)]
        if not (info.context or {}).get("stored"):
            # One problem per field: both checks report a template that rendered to nothing.
            told = {problem.field for problem in problems}
            problems += [one for one in literal_problems(self) if one.field not in told]
        if problems:
            raise InvalidRequestError(problems)
        return self


def _namespace(of_manifest: str | None, given: str | None) -> dict[str, str]:
    if of_manifest and given and of_manifest != given:
        raise InvalidRequestError.of(
            "metadata.namespace",
            f"is {of_manifest!r}, but the deployment goes to {given!r}",
            "remove it from the manifest or set the same namespace on the task",
        )
    namespace = given or of_manifest
    return {"namespace": namespace} if namespace else {}
