"""
The provider's metadata for Airflow.

This module imports nothing: Airflow calls it while it still builds its own configuration, and importing
``airflow.sdk`` here would end every Airflow 3.3 process.
"""


def connection_fields() -> dict[str, dict[str, object]]:
    """Return the extra fields of a ``seldon`` connection: name -> label, description and JSON schema."""
    text: dict[str, object] = {"type": ["string", "null"]}
    hidden: dict[str, object] = {"type": ["string", "null"], "format": "password"}
    flag: dict[str, object] = {"type": ["boolean", "null"]}
    return {
        "namespace": {
            "label": "Namespace",
            "description": "Namespace of the SeldonDeployments; the kubeconfig's namespace when empty.",
            "schema": text,
        },
        "ingress_url": {
            "label": "Ingress URL",
            "description": "Base URL of the gateway in front of Seldon Core, such as "
            "https://models.example.com.",
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
            "description": "Needed if the gateway routes by host name.",
            "schema": text,
        },
        "storage_conn_id": {
            "label": "Storage connection id",
            "description": "Airflow connection (aws, google_cloud_platform, wasb) used to read model files.",
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
            "description": "Context of the kubeconfig; its current context when empty.",
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
    """
    Return the hidden standard fields of a connection, the labels of the others, and an example for each.

    Airflow 3 shows the placeholders of the standard fields only, Airflow 2.11 all of them. Nothing reads the port: it
    is there because the Test button of Airflow 3.3.1 and 3.3.2 refuses a connection without one (apache/airflow
    #73298).
    """
    return {
        "hidden-fields": ["host", "schema", "extra"],
        "relabeling": {"login": "Ingress login", "password": "Ingress password", "port": "Port (not used)"},
        "placeholders": {
            "port": "0 lets Airflow 3.3.1 and 3.3.2 test the connection",
            "login": "user name, if the gateway requires one",
            "password": "password of that user",
            "namespace": "models",
            "ingress_url": "https://models.example.com",
            "ingress_token": "token, without the word Bearer",
            "ingress_verify": "true",
            "ingress_host_header": "models.example.com",
            "storage_conn_id": "aws_default",
            "storage_env_from": "model-store-credentials",
            "kube_config_path": "/opt/airflow/kubeconfig",
            "kube_config": '{"apiVersion": "v1", "kind": "Config", ...}',
            "cluster_context": "production",
        },
    }


def configuration() -> dict[str, object]:
    """Return section ``[seldon]`` of Airflow's configuration; ``settings`` reads it."""
    return {
        "seldon": {
            "description": "Settings of the Seldon Core provider that apply to every task.",
            "options": {
                "dashboard_url": {
                    "description": "URL of a page about a deployment, such as one of Grafana: the link "
                    "*Dashboard* of every task that works on one. The fields ``{namespace}``, ``{name}`` "
                    "(of the deployment), ``{model_name}``, ``{revision}``, ``{dag_id}``, ``{task_id}`` and "
                    "``{run_id}`` are filled in, percent-encoded. Empty for no link. In a configuration "
                    "file, a ``%`` is written ``%%``. Airflow 3 reads it on the workers, Airflow 2 on the "
                    "webserver.",
                    "version_added": "0.1.0",
                    "type": "string",
                    "example": "https://grafana.example.com/d/seldon?var-namespace={namespace}&var-deployment={name}",
                    "default": "",
                },
                "prometheus_link": {
                    "description": "URL of a graph of Prometheus, or of Grafana's Explore page: the link "
                    "*Canary metric* of a canary's task, to the query that decided. The fields ``{query}``, "
                    "``{range}`` (such as 600s), ``{end}`` (a time, in UTC), ``{from_ms}`` and ``{to_ms}`` "
                    "(milliseconds since 1970) are filled in, percent-encoded, and so are those of "
                    "``dashboard_url``. Empty for no link. In a configuration file, a ``%`` is written "
                    "``%%``.",
                    "version_added": "0.1.0",
                    "type": "string",
                    "example": "https://prometheus.example.com/graph?g0.expr={query}&g0.tab=0&g0.range_input={range}"
                    "&g0.end_input={end}",
                    "default": "",
                },
                "progress_interval": {
                    "description": "Seconds after which a waiting task logs its progress again if nothing "
                    "has changed; at least 1. A change is logged at once.",
                    "version_added": "0.1.0",
                    "type": "float",
                    "example": "300",
                    "default": "60",
                },
                "outage_patience": {
                    "description": "Seconds for which a read or a write is retried while the API server, "
                    "or a webhook that it calls, does not respond or responds with 429 or 5xx. Each request "
                    "is tried at least five times.",
                    "version_added": "0.1.0",
                    "type": "float",
                    "example": "300",
                    "default": "90",
                },
                "failure_log_lines": {
                    "description": "Number of lines of a failed container's log that a failed task shows, "
                    "in its own log and in its exception. 0 reads no logs, for models whose logs must not "
                    "leave the cluster.",
                    "version_added": "0.1.0",
                    "type": "integer",
                    "example": "0",
                    "default": "15",
                },
                "fleet_connections": {
                    "description": "Connections whose deployments the page *Seldon* in Airflow's "
                    "navigation shows, separated by commas; ``conn_id/namespace`` for another namespace "
                    "than the connection's own. Empty for no page. Airflow 3.1 or later; read by the API "
                    "server, which must be restarted after a change.",
                    "version_added": "0.1.0",
                    "type": "string",
                    "example": "seldon_default, production/models",
                    "default": "",
                },
                "fleet_source": {
                    "description": "Source of that page's data. ``cluster``: the API server reads the "
                    "clusters with the credentials of the connections. ``snapshot``: it reads what tasks "
                    "with ``SeldonFleetSnapshotOperator`` have written, and needs no credentials for a "
                    "cluster.",
                    "version_added": "0.1.0",
                    "type": "string",
                    "example": "snapshot",
                    "default": "cluster",
                },
            },
        }
    }


def asset_uris() -> list[dict[str, object]]:
    """Return the functions for URIs that begin with ``seldon://``."""
    module = "airflow_provider_seldon.assets"
    return [
        {
            "schemes": ["seldon"],
            "handler": module + ".sanitize_uri",
            "factory": module + ".seldon_asset",
            "to_openlineage_converter": module + ".convert_asset_to_openlineage",
        }
    ]


def get_provider_info() -> dict[str, object]:
    """Return the provider's metadata in the shape of Airflow's ``provider_info.schema.json``."""
    name = "Seldon Core"
    package = "airflow_provider_seldon"
    return {
        "package-name": "airflow-provider-seldon",
        "name": name,
        "description": "Deploy models with Seldon Core and wait until they are really ready.",
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://docs.seldon.io/projects/seldon-core/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": name,
                "python-modules": [package + ".hooks.seldon", package + ".hooks.prometheus"],
            }
        ],
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
                    package + ".operators.fleet",
                    package + ".operators.canary.operator",
                    package + ".operators.canary.approval",
                    package + ".operators.reaper.operator",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": name,
                "python-modules": [package + ".sensors.deployment", package + ".sensors.canary"],
            }
        ],
        "triggers": [
            {
                "integration-name": name,
                "python-modules": [
                    package + ".triggers.deployment",
                    package + ".triggers.event",
                    package + ".triggers.canary",
                ],
            }
        ],
        "connection-types": [
            {
                "connection-type": "seldon",
                "hook-class-name": package + ".hooks.seldon.SeldonHook",
                "hook-name": name,
                "conn-fields": connection_fields(),
                "ui-field-behaviour": field_behaviour(),
            }
        ],
        "extra-links": [
            package + ".links.deployment.SeldonPredictionLink",
            package + ".links.deployment.SeldonApiDocsLink",
            package + ".links.deployment.SeldonDashboardLink",
            package + ".links.canary.SeldonCanaryGraphLink",
        ],
        "config": configuration(),
        "asset-uris": asset_uris(),
        # The same by its name in Airflow 2.
        "dataset-uris": asset_uris(),
    }
