"""Sphinx configuration: Markdown pages, and the API reference read from the sources, without importing them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_seldon"

project = "airflow-provider-seldon"
author = "airflow-provider-seldon contributors"
release = version = re.search(r'__version__ = "(.+)"', (PACKAGE / "__init__.py").read_text())[1]  # type: ignore[index]

extensions = ["myst_parser", "autoapi.extension"]
exclude_patterns = ["_build"]
# The private modules are not read, so what the public ones import from them cannot be resolved.
suppress_warnings = ["autoapi.python_import_resolution"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True

#: The public modules: what a DAG, a plugin or a test may import. Everything else may change at any time.
PUBLIC = (
    "airflow_provider_seldon.assets",
    "airflow_provider_seldon.decisions",
    "airflow_provider_seldon.exceptions",
    "airflow_provider_seldon.core.rollout.decision",
    "airflow_provider_seldon.core.rollout.decision_rules",
    "airflow_provider_seldon.core.readiness.failure_policy",
    "airflow_provider_seldon.core.rollout.model_server_info",
    "airflow_provider_seldon.core.request.model_server",
    "airflow_provider_seldon.core.readiness.outcome",
    "airflow_provider_seldon.core.readiness.judge",
    "airflow_provider_seldon.core.resource.seldon_deployment",
    "airflow_provider_seldon.hooks.connection",
    "airflow_provider_seldon.hooks.inventory",
    "airflow_provider_seldon.hooks.prediction",
    "airflow_provider_seldon.hooks.seldon",
    "airflow_provider_seldon.delivery.storage.staging",
    "airflow_provider_seldon.kube.requests.client",
    "airflow_provider_seldon.links.deployment",
    "airflow_provider_seldon.local.cluster",
    "airflow_provider_seldon.local.faults",
    "airflow_provider_seldon.local.operator_faults",
    "airflow_provider_seldon.local.options",
    "airflow_provider_seldon.analysis",
    "airflow_provider_seldon.operators.apply",
    "airflow_provider_seldon.operators.canary.approval",
    "airflow_provider_seldon.operators.reaper.operator",
    "airflow_provider_seldon.operators.canary.operator",
    "airflow_provider_seldon.triggers.canary",
    "airflow_provider_seldon.operators.custom",
    "airflow_provider_seldon.operators.delete",
    "airflow_provider_seldon.operators.deploy",
    "airflow_provider_seldon.operators.predict",
    "airflow_provider_seldon.operators.rollback",
    "airflow_provider_seldon.operators.base",
    "airflow_provider_seldon.operators.scale",
    "airflow_provider_seldon.operators.stage",
    "airflow_provider_seldon.retries",
    "airflow_provider_seldon.sensors.deployment",
    "airflow_provider_seldon.sensors.canary",
    "airflow_provider_seldon.serving.function_model",
    "airflow_provider_seldon.serving.runtime",
    "airflow_provider_seldon.serving.wrapper",
    "airflow_provider_seldon.triggers.deployment",
    "airflow_provider_seldon.triggers.event",
    "airflow_provider_seldon.waves",
)


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


autoapi_dirs = [str(PACKAGE)]
autoapi_ignore = [str(file) for file in PACKAGE.rglob("*.py") if _module(file) not in PUBLIC]
autoapi_root = "api"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_member_order = "groupwise"
autoapi_python_class_content = "class"
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
