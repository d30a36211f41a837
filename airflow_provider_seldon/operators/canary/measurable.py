"""Check that the metrics of a canary can be measured, before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_seldon.core.analysis.analysis import Analysis
    from airflow_provider_seldon.core.analysis.metrics import GoldenSet
    from airflow_provider_seldon.core.canary.steps import Step
    from airflow_provider_seldon.hooks.prometheus import PrometheusHook
    from airflow_provider_seldon.hooks.seldon import SeldonHook

log = logging.getLogger(__name__)


def refuse_unmeasurable(
    analysis: Analysis, *, of: str, hook: SeldonHook, steps: Sequence[Step], prometheus: PrometheusHook | None
) -> None:
    """
    Refuse metrics that cannot be measured.

    :param of: owner of the analysis, for the error.
    :param prometheus: hook of its connection; None if none is named.
    :raises InvalidModelServerError: names the metrics and the fix.
    :raises Exception: the connection does not exist, or cannot be used.
    """
    from airflow_provider_seldon.core.analysis.metrics import GoldenSet
    from airflow_provider_seldon.delivery.analysis.measure import on_worker, refuse_without_prometheus

    refuse_without_prometheus(analysis.metrics, of=of, connected=prometheus is not None)
    if prometheus is not None and not all(map(on_worker, analysis.metrics)):
        _ = prometheus.access  # reads the connection
    golden = [one for one in analysis.metrics if isinstance(one, GoldenSet)]
    if golden:
        _refuse_unaskable(golden, of=of, hook=hook, steps=steps)


def _refuse_unaskable(golden: list[GoldenSet], *, of: str, hook: SeldonHook, steps: Sequence[Step]) -> None:
    from airflow_provider_seldon.core.invalid_request import InvalidRequestError
    from airflow_provider_seldon.delivery.analysis.golden_set import read_rows
    from airflow_provider_seldon.delivery.analysis.predictor_ways import may_ask_each
    from airflow_provider_seldon.exceptions import InvalidModelServerError

    try:
        for one in golden:
            read_rows(one)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(of, error) from None
    if may_ask_each(hook.target):
        return
    shadows = any(step.shadow for step in steps)
    if shadows or not hook.ingress.url:
        why = "a shadow's answers are" if shadows else "without ingress_url its answers are"
        raise InvalidModelServerError.of(
            of,
            f"analysis: {golden[0].name} cannot be measured: {why} reached only through the API server. "
            "Fix: grant the connection's account create on services/proxy.",
        )
    log.warning(
        "The connection's account may not create services/proxy, so golden rows go through the ingress, "
        "which works only if answers name the predictor that gave them"
    )
