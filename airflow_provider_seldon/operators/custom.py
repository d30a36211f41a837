"""Deploy a Python function as a model server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.exceptions import InvalidModelServerError
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.triggers.argument_checks import checked

if TYPE_CHECKING:
    from airflow_provider_seldon.core.request.model_server import ModelServer


_NESTED = {"extra_args": argument_rules.MAPPING, "container": argument_rules.MAPPING}


class SeldonDeployCustomModelOperator(SeldonDeployModelOperator):
    """
    Continuous deployment of a model that no prepackaged server can serve.

    The image holds Python, the package ``airflow-provider-seldon`` (its ``serving`` part needs no Airflow)
    and the user's code; with ``protocol="v2"`` also MLServer. It runs ``python -m
    airflow_provider_seldon.serving``, which loads the model once, becomes ready only then, and exits with the
    traceback if loading fails. Seldon's own initializer puts the files of ``model_uri`` into the container.

    Everything else works as in :class:`~airflow_provider_seldon.operators.deploy.SeldonDeployModelOperator`.

    :param image: container image.
    :param predict_function: ``package.module:function`` in the image, called as ``function(model, rows)``. If
        the module can be imported on the worker, the function is checked there; if it is only in the image, a
        warning is logged.
    :param load_function: function that is called once with the folder of the model's files (a
        ``pathlib.Path``) and returns the model; without it, the folder itself is passed as the model.
    :param env: environment of the container: name -> value, or Kubernetes EnvVar dicts for Secrets.
    :param container_resources: ``requests`` and ``limits`` of the container.
    :param image_pull_secrets: names of Secrets for the image registry.
    :param ports: ports of the container; Seldon's operator adds ``http`` and ``grpc`` if they are missing.
    :param probes: probes that replace the generated ones: ``startupProbe``, ``readinessProbe``,
        ``livenessProbe``.
    :param startup_timeout: seconds that loading the model may take.
    :param python: interpreter in the image.
    """

    template_fields: Sequence[str] = (
        *SeldonDeployModelOperator.template_fields,
        "image",
        "predict_function",
        "load_function",
        "env",
        "container_resources",
    )
    template_fields_renderers = {  # noqa: RUF012
        **SeldonDeployModelOperator.template_fields_renderers,
        "env": "json",
        "container_resources": "json",
    }
    rules = {  # noqa: RUF012
        **SeldonDeployModelOperator.rules,
        **argument_rules.of(
            *(
                "image",
                "predict_function",
                "load_function",
                "env",
                "container_resources",
                "image_pull_secrets",
            ),
            *("ports", "probes", "startup_timeout", "python"),
        ),
    }

    def __init__(
        self,
        *,
        image: str,
        predict_function: str,
        load_function: str | None = None,
        env: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        container_resources: Mapping[str, Any] | None = None,
        image_pull_secrets: Sequence[str] = (),
        ports: Sequence[Mapping[str, Any]] = (),
        probes: Mapping[str, Mapping[str, Any]] | None = None,
        startup_timeout: float = 600.0,
        python: str = "python",
        **kwargs: Any,
    ) -> None:
        for name in ("implementation", "manifest"):
            if kwargs.get(name) is not None:
                raise InvalidModelServerError.of(
                    type(self).__name__, f"it takes no {name}: the image serves the model"
                )
        super().__init__(**kwargs)
        self.image = image
        self.predict_function = predict_function
        self.load_function = load_function
        self.env = env
        self.container_resources = container_resources
        self.image_pull_secrets = image_pull_secrets
        self.ports = ports
        self.probes = probes
        self.startup_timeout = startup_timeout
        self.python = python
        self.check_literals()

    def _server(self) -> ModelServer:
        from airflow_provider_seldon.core.invalid_request import InvalidRequestError
        from airflow_provider_seldon.core.request.custom_model import custom_container
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        server = dict(self.model_server or {})
        own = {"extra_args": server.pop("extra_args", None)}
        extra_args = dict(checked("model_server", own, _NESTED)["extra_args"] or {})
        own = {"container": extra_args.pop("container", None)}
        fields = {
            **(checked("model_server.extra_args", own, _NESTED)["container"] or {}),
            **(self.probes or {}),
        }
        if self.ports:
            fields["ports"] = [dict(port) for port in self.ports]
        try:
            made = custom_container(
                predict_function=self.predict_function,
                load_function=self.load_function or None,
                model_uri=self.model_uri or server.get("model_uri"),
                protocol=self.protocol or server.get("protocol"),
                startup_timeout=self.startup_timeout,
                python=self.python,
                container=fields,
            )
        except InvalidRequestError as error:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
        self._check(self.predict_function, "predict_function", arguments=2)
        if self.load_function:
            self._check(self.load_function, "load_function", arguments=1)
        arguments = {
            "image": self.image,
            "env": self.env,
            "resources": self.container_resources,
            "image_pull_secrets": list(self.image_pull_secrets),
        }
        self.model_server = {
            "command": made["command"],
            **server,
            **{key: value for key, value in arguments.items() if value},
            "extra_args": {**extra_args, **made["extra_args"]},
        }
        return super()._server()

    def _check(self, path: str, field: str, *, arguments: int) -> None:
        """Check the function if it can be imported; one that is only in the image cannot be."""
        from airflow_provider_seldon.delivery.prediction.function_check import function_problem
        from airflow_provider_seldon.exceptions import InvalidModelServerError

        unknown, problem = function_problem(path, arguments=arguments)
        if problem:
            raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{field}: {problem}")
        if unknown:
            self.log.warning("%s %s is not checked: %s", field, path, unknown)
