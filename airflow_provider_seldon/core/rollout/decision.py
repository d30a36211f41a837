"""
The deploy decision: evaluate a user's ``deploy_decision`` to yes or no, with the reason.

A decision is a bool, its text (a rendered template), a rule of :mod:`.decision_rules`, or a function. Rules
and functions are evaluated on the worker and get the :class:`Evidence`: the candidate's metrics, and those of
the running version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics

if TYPE_CHECKING:
    from airflow_provider_seldon.core.analysis.assessment import Assessment
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

#: Called with a metric and the arguments of ``PrometheusHook.assess``, and with ``prometheus_conn_id``.
Assess: TypeAlias = "Callable[..., Assessment]"

_WORDS = {
    "true": True,
    "yes": True,
    "y": True,
    "1": True,
    "deploy": True,
    "false": False,
    "no": False,
    "n": False,
    "0": False,
    "": None,
    "none": None,
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """
    The input of a decision.

    :param candidate: metrics of the candidate, as given to the task.
    :param serving: metrics recorded on the running version; empty when there are none.
    :param deployment: name of the running deployment; "" when there is none.
    :param serving_since: when the metrics of the running version were recorded; None if not known.
    :param now: the time of the decision.
    :param namespace: namespace of the running deployment; "" when there is none.
    :param predictor: name of its first predictor that is no shadow; "" when there is none.
    :param assess: assesses a metric of the running version in Prometheus, see ``PrometheusHook.assess``; None
        where that is not possible. It sends requests.
    """

    candidate: Mapping[str, float] = field(default_factory=dict)
    serving: Mapping[str, float] = field(default_factory=dict)
    deployment: str = ""
    serving_since: datetime | None = None
    now: datetime
    namespace: str = ""
    predictor: str = ""
    assess: Assess | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        candidate: Mapping[str, float],
        existing: Sequence[SeldonDeployment],
        *,
        now: float,
        assess: Assess | None = None,
    ) -> Evidence:
        """
        Return the evidence on a candidate.

        A version that is still rolling out, or never became ready, is not the reference: the metrics are
        those of the version that last served, and the deployment's own only if no version is proven yet.

        :param existing: the equivalents, newest first.
        :param now: epoch seconds.
        :param assess: see the class.
        """
        # A DAG file imports decisions; these modules are needed only on the worker, and take 30 ms to import.
        from airflow_provider_seldon.core.identity.annotations import ANNOTATION_METRICS
        from airflow_provider_seldon.core.rollout.history import ProvenVersion

        time = datetime.fromtimestamp(now, UTC)
        if not existing:
            return cls(candidate=candidate, now=time, assess=assess)
        newest = existing[0]
        last = ProvenVersion.last_of(newest)
        text = last.metrics if last else newest.annotations.get(ANNOTATION_METRICS)
        recorded = RecordedMetrics.from_json(text)
        return cls(
            candidate=candidate,
            serving=recorded.values,
            deployment=newest.name,
            serving_since=recorded.at,
            now=time,
            namespace=newest.namespace or "",
            predictor=next((str(one.name) for one in newest.predictors if not one.shadow), ""),
            assess=assess,
        )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """
    Yes or no, and why.

    :param deploy: whether to deploy the candidate.
    :param reason: names the rule that decided, with the numbers it compared.
    """

    deploy: bool
    reason: str

    def __str__(self) -> str:
        return f"{'deploy' if self.deploy else 'do not deploy'}: {self.reason}"


@runtime_checkable
class DecisionRule(Protocol):
    """A rule that decides on evidence."""

    def decide(self, evidence: Evidence) -> Decision:
        """Return the decision, with its reason."""


@dataclass(frozen=True)
class AskFunction:
    """
    Deploy if a function returns yes.

    :param function: takes the :class:`Evidence`, and returns a bool, a
        :class:`Decision` or another decision object.
    """

    function: Callable[[Evidence], Any]

    def decide(self, evidence: Evidence) -> Decision:
        """Call the function; a decision without a reason gets the metrics as its reason."""
        answer = self.function(evidence)
        said = decide(answer, evidence)
        if not isinstance(answer, bool):
            return Decision(deploy=said.deploy, reason=f"{self._name()}: {said.reason}")
        numbers = f"candidate {dict(evidence.candidate)}, serving {dict(evidence.serving)}"
        return Decision(deploy=said.deploy, reason=f"{self._name()}: {numbers}")

    def __repr__(self) -> str:
        return f"AskFunction({self._name()})"

    def _name(self) -> str:
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__))


def decide(value: Any, evidence: Evidence) -> Decision:
    """
    Evaluate a decision of any form.

    :param value: what the user passed, templates rendered.
    :raises InvalidRequestError: it is neither yes nor no.
    """
    if isinstance(value, Decision):
        return value
    if isinstance(value, DecisionRule):
        return value.decide(evidence)
    return Decision(deploy=parse_decision(value), reason=f"deploy_decision is {value!r}")


def parse_decision(value: Any) -> bool:
    """
    Parse a decision from a template or an XCom.

    :param value: a bool, 0 or 1, a NumPy bool, or the text of one of them (a rendered template is text).
    :raises InvalidRequestError: it is neither yes nor no; a guess could deploy a model without approval.
    """
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int) and plain in (0, 1):
        return bool(plain)
    if isinstance(plain, str) and (known := _WORDS.get(plain.strip().lower())) is not None:
        return known
    raise InvalidRequestError.of(
        "deploy_decision",
        "is neither yes nor no",
        "pass a bool, or a template that renders to True or False; an XCom that was never pushed renders "
        "to None",
        value=repr(value)[:80],
    )


def templatable(value: Any) -> Any:
    """
    Return a decision in a form that survives Airflow's templating.

    Airflow 3.3 calls a function in a template field, with the context and a Jinja environment.
    """
    if callable(value) and not hasattr(value, "decide"):
        return AskFunction(value)
    return value
