"""
What Airflow reads about this provider.

This module imports nothing: Airflow calls it while its own configuration is still being built, and an
import of ``airflow.sdk`` here ends every Airflow 3.3 process.
"""


def connection_fields() -> dict[str, dict[str, object]]:
    """Return the extra fields of a ``seldon`` connection: name -> label, description and JSON schema."""
    text: dict[str, object] = {"type": ["string", "null"]}
    hidden: dict[str, object] = {"type": ["string", "null"], "format": "password"}
    flag: dict[str, object] = {"type": ["boolean", "null"]}
    return {
        "namespace": {
            "label": "Namespace",
            "description": "Namespace of the SeldonDeployments; the kubeconfig's own when empty.",
            "schema": text,
        },
        "ingress_url": {
            "label": "Ingress URL",
            "description": "Base URL of the gateway in front of Seldon Core, such as https://models.example.com.",
            "schema": text,
        },
        "ingress_token": {
            "label": "Ingress bearer token",
            "description": "Sent with predictions; leave empty to use login and password, or none.",
            "schema": hidden,
        },
        "ingress_verify": {
            "label": "Ingress certificate check",
            "description": "true, false, or the path of a CA bundle.",
            "schema": text,
        },
        "ingress_host_header": {
            "label": "Ingress Host header",
            "description": "Where the gateway routes by host name.",
            "schema": text,
        },
        "storage_conn_id": {
            "label": "Storage connection id",
            "description": "Airflow connection (aws, google_cloud_platform, wasb) that model files are read with.",
            "schema": text,
        },
        "storage_env_from": {
            "label": "Storage Secret name",
            "description": "Existing Kubernetes Secret with RCLONE_CONFIG_* keys, instead of a connection.",
            "schema": text,
        },
        "in_cluster": {
            "label": "In cluster configuration",
            "description": "Use the service account of the pod that Airflow runs in.",
            "schema": flag,
        },
        "kube_config_path": {
            "label": "Kube config path",
            "description": "Path of a kubeconfig file on the worker and on the triggerer.",
            "schema": text,
        },
        "kube_config": {
            "label": "Kube config (JSON format)",
            "description": "A kubeconfig itself.",
            "schema": hidden,
        },
        "cluster_context": {
            "label": "Cluster context",
            "description": "Context of the kubeconfig; its current one when empty.",
            "schema": text,
        },
        "disable_verify_ssl": {
            "label": "Disable SSL",
            "description": "Do not check the API server's certificate.",
            "schema": flag,
        },
        "disable_tcp_keepalive": {
            "label": "Disable TCP keepalive",
            "description": "Do not keep idle connections to the API server alive.",
            "schema": flag,
        },
    }


def field_behaviour() -> dict[str, object]:
    """Return which standard fields of a connection are hidden, and what the others are called."""
    return {
        "hidden-fields": ["host", "schema", "port", "extra"],
        "relabeling": {"login": "Ingress login", "password": "Ingress password"},
    }


def get_provider_info() -> dict[str, object]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    name = "Seldon Core"
    package = "airflow_provider_seldon"
    return {
        "package-name": "airflow-provider-seldon",
        "name": name,
        "description": "Deploy models with Seldon Core and wait until they really serve.",
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://docs.seldon.io/projects/seldon-core/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": name, "python-modules": [package + ".hooks.seldon"]}],
        "operators": [
            {
                "integration-name": name,
                "python-modules": [
                    package + ".operators.deploy",
                    package + ".operators.apply",
                    package + ".operators.delete",
                    package + ".operators.predict",
                    package + ".operators.rollback",
                    package + ".operators.scale",
                    package + ".operators.stage",
                    package + ".operators.custom",
                ],
            }
        ],
        "sensors": [{"integration-name": name, "python-modules": [package + ".sensors.deployment"]}],
        "triggers": [{"integration-name": name, "python-modules": [package + ".triggers.deployment"]}],
        "connection-types": [
            {
                "connection-type": "seldon",
                "hook-class-name": package + ".hooks.seldon.SeldonHook",
                "hook-name": name,
                "conn-fields": connection_fields(),
                "ui-field-behaviour": field_behaviour(),
            }
        ],
    }
