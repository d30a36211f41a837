"""
The version of a predictor that a child Deployment runs.

With this provider's stamp that is one comparison, wherever the operator copies the stamp: the Deployment's
pod template and the predictor with which the engine was started. But an edit by another client leaves the
stamp as it is, fields outside of predictors have none, and neither has a foreign deployment. So the template
is also compared with what the operator creates from the spec. This module checks the *desired* state of a
Deployment; ``readiness`` decides whether its pods have reached it. Source: Seldon Core reference, what a
client can compare; real operator, what rolls pods.
"""

from __future__ import annotations

from airflow_provider_seldon.core.children.component import content_difference, protocol_difference
from airflow_provider_seldon.core.children.containment import missing
from airflow_provider_seldon.core.children.engine import engine_difference, engine_of, engine_predictor
from airflow_provider_seldon.core.children.expected import ANNOTATION_SEPARATE_ENGINE, ExpectedChild, Role
from airflow_provider_seldon.core.children.explainer import explainer_difference
from airflow_provider_seldon.core.children.ports import PortPlan
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.resource.unstructured import Object, items_at, mapping_at, text_at

__all__ = ["difference", "missing", "template_stamp"]

#: Annotations of pods that the operator sets unless the spec does.
_OPERATOR_ANNOTATIONS = frozenset({"prometheus.io/path", "prometheus.io/scrape"})


def difference(
    child: Object,
    expected: ExpectedChild,
    deployment: Object,
    *,
    ports: PortPlan,
    withdrawn: frozenset[str] = frozenset(),
) -> str:
    """
    Return how a child's pod template differs from the requested one; empty when it runs this revision.

    :param child: the Deployment.
    :param expected: the expected child.
    :param deployment: the SeldonDeployment's manifest.
    :param ports: ports of all its children.
    :param withdrawn: annotations that were removed from the spec.
    """
    spec, engine = mapping_at(deployment, "spec"), engine_of(child)
    text = (
        _stamp_difference(child, expected, engine_predictor(engine))
        or engine_difference(engine, expected, spec)
        or protocol_difference(child, expected, spec)
    )
    if not text and expected.role is Role.EXPLAINER:
        text = explainer_difference(child, expected, deployment)
    if not text:
        text = content_difference(child, expected, spec)
    return (
        text or _annotation_difference(child, expected, spec, withdrawn) or ports.difference(child, expected)
    )


def template_stamp(child: Object) -> str:
    """Return the stamp in a Deployment's pod template, or an empty text."""
    return text_at(child, "spec", "template", "metadata", "annotations", ANNOTATION_REVISION)


def _stamp_difference(child: Object, expected: ExpectedChild, running: Object | None) -> str:
    """Compare the stamps; the pod template counts, because pods do not get the Deployment's own metadata."""
    wanted = expected.stamp
    found = template_stamp(child)
    if not wanted:
        return f"it runs revision {found}, and the spec has none" if found else ""
    if expected.role is not Role.ENGINE and found != wanted:
        return f"it runs revision {found or 'without a stamp'}, not {wanted}"
    if running is not None and (found := text_at(running, "annotations", ANNOTATION_REVISION)) != wanted:
        return f"its engine runs revision {found or 'without a stamp'}, not {wanted}"
    if expected.role is Role.ENGINE and running is None:
        return "its engine does not say which revision it runs"
    return ""


def _annotation_difference(
    child: Object, expected: ExpectedChild, spec: Object, withdrawn: frozenset[str]
) -> str:
    """Compare the annotations, which the operator copies to the pods of each predictor and explainer."""
    if expected.role is Role.ENGINE:
        return ""
    metadata = mapping_at(child, "spec", "template", "metadata")
    # The operator creates no template without labels: there is nothing to compare.
    if not mapping_at(metadata, "labels"):
        return ""
    wanted = dict(mapping_at(spec, "annotations"))
    wanted.pop(ANNOTATION_SEPARATE_ENGINE, None)  # the existing Deployments show it
    wanted |= mapping_at(expected.predictor, "annotations")
    if expected.role is Role.COMPONENT:
        components = items_at(expected.predictor, "componentSpecs")
        if expected.component < len(components):
            wanted |= mapping_at(components[expected.component], "metadata", "annotations")
        if engine_of(child):  # the operator copies the predictor's once more, with the engine
            wanted |= mapping_at(expected.predictor, "annotations")
    found = mapping_at(metadata, "annotations")
    for key, value in wanted.items():
        if found.get(key) != value:
            return f"its pods have {'a different' if key in found else 'no'} annotation {key}"
    gone = sorted(key for key in withdrawn - _OPERATOR_ANNOTATIONS if key in found and key not in wanted)
    return f"its pods still have annotation {gone[0]}" if gone else ""
