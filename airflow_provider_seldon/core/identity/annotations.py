"""Keys of the labels and annotations that this provider writes: labels select, annotations hold the full values."""

from __future__ import annotations

#: Field manager of all writes, and the value of the managed-by label.
MANAGER = "airflow-provider-seldon"
PREFIX = f"{MANAGER}/"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_DAG_ID = f"{PREFIX}dag-id"
LABEL_TASK_ID = f"{PREFIX}task-id"
LABEL_MODEL_NAME = f"{PREFIX}model-name"

ANNOTATION_DAG_ID = LABEL_DAG_ID
ANNOTATION_TASK_ID = LABEL_TASK_ID
ANNOTATION_MODEL_NAME = LABEL_MODEL_NAME
ANNOTATION_RUN_ID = f"{PREFIX}run-id"
ANNOTATION_MAP_INDEX = f"{PREFIX}map-index"
ANNOTATION_CONFIG = f"{PREFIX}config"
ANNOTATION_REVISION = f"{PREFIX}revision"
ANNOTATION_METRICS = f"{PREFIX}metrics"
ANNOTATION_LAST_AVAILABLE = f"{PREFIX}last-available"
ANNOTATION_HISTORY = f"{PREFIX}history"
ANNOTATION_ACTION = f"{PREFIX}action"
ANNOTATION_ROLLED_BACK = f"{PREFIX}rolled-back"
ANNOTATION_ORDER = f"{PREFIX}order"
ANNOTATION_BEFORE_RUN = f"{PREFIX}before-run"
ANNOTATION_CONFIRMED = f"{PREFIX}confirmed"
ANNOTATION_EXPIRY = f"{PREFIX}expiry"
ANNOTATION_EXPIRY_RENEWED = f"{PREFIX}expiry-renewed"
ANNOTATION_EXPIRY_NOTICED = f"{PREFIX}expiry-noticed"
ANNOTATION_WRITE = f"{PREFIX}write"
ANNOTATION_SECRETS = f"{PREFIX}secrets"
ANNOTATION_MODEL_URI = f"{PREFIX}model-uri"
ANNOTATION_IMPLEMENTATION = f"{PREFIX}implementation"

#: Written separately from the spec, so they stay when another version is applied.
RECORDED_ANNOTATIONS = (
    ANNOTATION_LAST_AVAILABLE,
    ANNOTATION_HISTORY,
    ANNOTATION_SECRETS,
    ANNOTATION_CONFIRMED,
    ANNOTATION_EXPIRY_NOTICED,
    ANNOTATION_EXPIRY_RENEWED,
)


def is_reserved(key: str) -> bool:
    """Return whether a label or annotation belongs to this provider."""
    return key.startswith(PREFIX) or key == LABEL_MANAGED_BY
