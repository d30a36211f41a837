"""
Will Seldon Core accept this SeldonDeployment, and can it run it? Checked before anything is sent.

Combines three kinds of rules: the CRD's schema (``schema``), the admission webhook (``admission``, in the
webhook's own words), and what the operator fails on later (``operator_limits``). Pure; a cluster may have
more prepackaged servers and its own, stricter policies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request import admission, operator_limits, schema
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment, SeldonDeploymentSpec

#: Servers in Seldon Core's default configuration; a cluster's admin can add more.
PREPACKAGED_SERVERS = frozenset(
    {
        "HUGGINGFACE_SERVER",
        "MLFLOW_SERVER",
        "SKLEARN_SERVER",
        "TEMPO_SERVER",
        "TENSORFLOW_SERVER",
        "TRITON_SERVER",
        "XGBOOST_SERVER",
    }
)
_WEBHOOK = "v1.vseldondeployment.kb.io"
#: The group is misspelt in Seldon Core, too.
_WEBHOOK_KIND = "SeldonDeployment.machinelearing.seldon.io"


def validate(
    deployment: SeldonDeployment, *, known_servers: Collection[str] | None = PREPACKAGED_SERVERS
) -> list[Problem]:
    """
    Return all problems of ``deployment``; empty when there are none.

    :param known_servers: names of the prepackaged servers in the operator's configuration. None leaves that
        rule to the cluster.
    """
    if not isinstance(deployment.spec, SeldonDeploymentSpec):
        return [Problem("spec", "is missing or not a mapping", "give a spec with predictors")]
    return [
        *schema.problems(deployment.spec, "spec"),
        *admission.problems(deployment.spec, known_servers),
        *operator_limits.problems(deployment),
    ]


def ensure_valid(
    deployment: SeldonDeployment, *, known_servers: Collection[str] | None = PREPACKAGED_SERVERS
) -> None:
    """
    Do nothing when ``validate`` finds nothing.

    :raises InvalidRequestError: otherwise, with all problems.
    """
    problems = validate(deployment, known_servers=known_servers)
    if problems:
        raise InvalidRequestError(problems)


def admission_message(problems: Iterable[Problem], deployment: SeldonDeployment) -> str:
    """
    Return the message with which the API server reports the webhook's refusal.

    :param problems: what ``validate`` returned; problems that the webhook does not check are ignored.
    :return: an empty text when the webhook would accept the deployment.
    """
    causes = list(dict.fromkeys(problem.cause for problem in problems if problem.admission and problem.cause))
    if not causes:
        return ""
    told = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
    spec_name = deployment.spec.name if isinstance(deployment.spec, SeldonDeploymentSpec) else None
    name = spec_name if isinstance(spec_name, str) else ""
    return f'admission webhook "{_WEBHOOK}" denied the request: {_WEBHOOK_KIND} "{name}" is invalid: {told}'
