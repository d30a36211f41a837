"""Every way in which Airflow's providers spell a credential, and the rclone options that it becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.storage.rclone_remote import remote_options
from airflow_provider_seldon.core.storage.rclone_secret import (
    credentials_in,
    rclone_settings,
)
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection

KEYS = {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "shh"}


def options(conn_type: str, scheme: str, **parts: Any) -> dict[str, str]:
    connection = StorageConnection(conn_id="store", conn_type=conn_type, **parts)
    return {key: value for key, value in remote_options(connection, scheme).items() if value}


@pytest.mark.parametrize(
    "parts",
    [
        {"login": "AKIA", "password": "shh"},
        {"extra": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "shh"}},
        {"extra": {"session_kwargs": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "shh"}}},
        {
            "login": "AKIA",
            "password": "shh",
            "extra": {"aws_access_key_id": "no", "aws_secret_access_key": "no"},
        },
    ],
)
def test_aws_keys_are_taken_from_where_the_amazon_provider_takes_them(parts: dict[str, Any]) -> None:
    found = options("aws", "s3", **parts)
    assert {key: found[key] for key in KEYS} == KEYS
    assert found["ENV_AUTH"] == "false"


def test_a_login_without_password_is_no_key() -> None:
    assert options("aws", "s3", login="AKIA")["ENV_AUTH"] == "true"


@pytest.mark.parametrize("place", [{}, {"session_kwargs": {}}])
def test_a_session_token_goes_with_the_keys(place: dict[str, Any]) -> None:
    token = {"aws_session_token": "token"}
    extra = {"session_kwargs": token} if place else token
    assert options("aws", "s3", login="a", password="b", extra=extra)["SESSION_TOKEN"] == "token"


def test_the_endpoint_of_the_service_wins_over_the_general_one() -> None:
    extra = {
        "endpoint_url": "http://all",
        "service_config": {"s3": {"endpoint_url": "http://minio:9000"}},
    }
    assert options("aws", "s3", extra=extra)["ENDPOINT"] == "http://minio:9000"


def test_unsigned_means_anonymous_not_the_pods_role() -> None:
    assert options("aws", "s3", extra={"config_kwargs": {"signature_version": "unsigned"}}) == {
        "TYPE": "s3",
        "PROVIDER": "AWS",
        "ENV_AUTH": "false",
    }


def test_virtual_hosted_buckets_are_kept() -> None:
    extra = {"endpoint_url": "https://objects", "config_kwargs": {"s3": {"addressing_style": "virtual"}}}
    assert options("aws", "s3", extra=extra)["FORCE_PATH_STYLE"] == "false"


def test_a_role_without_keys_is_left_to_the_pods_service_account() -> None:
    extra = {"role_arn": "arn:aws:iam::1:role/models"}
    assert options("aws", "s3", extra=extra)["ENV_AUTH"] == "true"


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"extra": {"profile_name": "prod"}}, "profile.*only where Airflow runs"),
        (
            {"login": "a", "password": "shh", "extra": {"role_arn": "arn:x"}},
            "role to assume.*service account",
        ),
    ],
)
def test_what_exists_only_on_the_worker_is_refused(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told) as caught:
        options("aws", "s3", **parts)
    assert "shh" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "extra__google_cloud_platform__"])
@pytest.mark.parametrize("key", [{"type": "service_account"}, '{"type": "service_account"}'])
def test_google_keys_in_each_spelling(prefix: str, key: Any) -> None:
    found = options("google_cloud_platform", "gs", extra={f"{prefix}keyfile_dict": key})
    assert json.loads(found["SERVICE_ACCOUNT_CREDENTIALS"]) == {"type": "service_account"}
    assert (found["ANONYMOUS"], found.get("ENV_AUTH")) == ("false", None)


@pytest.mark.parametrize("anonymous", [True, "True"])
def test_anonymous_google_buckets(anonymous: Any) -> None:
    assert options("google_cloud_platform", "gs", extra={"is_anonymous": anonymous}) == {
        "TYPE": "google cloud storage",
        "ANONYMOUS": "true",
    }


def test_google_workload_identity_turns_off_what_the_image_presets() -> None:
    """The initializer's image says anonymous for gs; the pod's identity would never be used."""
    assert options("google_cloud_platform", "gcs") == {
        "TYPE": "google cloud storage",
        "ANONYMOUS": "false",
        "ENV_AUTH": "true",
    }


@pytest.mark.parametrize("field", ["key_path", "key_secret_name", "credential_config_file"])
def test_a_google_key_that_is_elsewhere_is_refused_rather_than_left_out(field: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"{field}.*keyfile_dict"):
        options("google_cloud_platform", "gs", extra={field: "somewhere"})


TOKEN = "sv=2024&sig=abc%3D"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"login": "acct", "password": "key"}, {"ACCOUNT": "acct", "KEY": "key"}),
        ({"login": "acct", "extra": {"shared_access_key": "key"}}, {"ACCOUNT": "acct", "KEY": "key"}),
        ({"login": "acct", "extra": {"account_key": "key"}}, {"ACCOUNT": "acct", "KEY": "key"}),
        (
            {"host": "https://acct.blob.core.windows.net/", "password": "key"},
            {"ACCOUNT": "acct", "KEY": "key"},
        ),
        (
            {
                "extra": {
                    "connection_string": "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5==;"
                    "EndpointSuffix=core.windows.net"
                }
            },
            {"ACCOUNT": "acct", "KEY": "a2V5=="},
        ),
        (
            {
                "extra": {
                    "connection_string": "BlobEndpoint=https://acct.blob.core.windows.net;"
                    f"SharedAccessSignature={TOKEN}"
                }
            },
            {"SAS_URL": f"https://acct.blob.core.windows.net/?{TOKEN}"},
        ),
        (
            {"login": "acct", "extra": {"sas_token": TOKEN}},
            {"SAS_URL": f"https://acct.blob.core.windows.net/?{TOKEN}"},
        ),
        (
            {"host": "acct.blob.core.chinacloudapi.cn", "extra": {"sas_token": f"?{TOKEN}"}},
            {"SAS_URL": f"https://acct.blob.core.chinacloudapi.cn/?{TOKEN}"},
        ),
        (
            {"extra": {"extra__wasb__sas_token": f"https://acct.blob.core.windows.net/c?{TOKEN}"}},
            {"SAS_URL": f"https://acct.blob.core.windows.net/c?{TOKEN}"},
        ),
        ({"login": "acct"}, {"ACCOUNT": "acct", "USE_MSI": "true", "ENV_AUTH": "true"}),
        (
            {"login": "acct", "extra": {"managed_identity_client_id": "id"}},
            {"ACCOUNT": "acct", "USE_MSI": "true", "MSI_CLIENT_ID": "id"},
        ),
        (
            {
                "login": "acct",
                "extra": {"managed_identity_client_id": "id", "workload_identity_tenant_id": "t"},
            },
            {"ACCOUNT": "acct", "ENV_AUTH": "true"},
        ),
        (
            {
                "host": "https://acct.blob.core.windows.net",
                "login": "app",
                "password": "s",
                "extra": {"tenant_id": "t"},
            },
            {"ACCOUNT": "acct", "TENANT": "t", "CLIENT_ID": "app", "CLIENT_SECRET": "s"},
        ),
    ],
)
def test_azure_in_each_spelling(parts: dict[str, Any], expected: dict[str, str]) -> None:
    assert options("wasb", "az", **parts) == {"TYPE": "azureblob", **expected}


def test_azure_without_an_account_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="storage account"):
        options("wasb", "az")


def test_a_web_server_is_a_remote_whatever_the_host() -> None:
    assert options("aws", "https") == {"TYPE": "http", "URL": "https://"}


def test_the_login_of_an_http_connection_becomes_a_header() -> None:
    assert options("http", "http", login="x", password="y")["HEADERS"] == "Authorization,Basic eDp5"


def test_a_plain_remote_wins_over_the_type_of_the_connection() -> None:
    found = options(
        "aws", "s3", extra={"rclone_type": "alias", "rclone_remote": "/data", "rclone_flag": True}
    )
    assert found == {"TYPE": "alias", "REMOTE": "/data", "FLAG": "true"}


def test_a_plain_remote_cannot_name_a_file() -> None:
    with pytest.raises(InvalidRequestError, match="rclone_service_principal_file"):
        options("generic", "az", extra={"rclone_type": "azureblob", "rclone_service_principal_file": "/x"})


def test_every_form_of_a_printed_credential_is_detected() -> None:
    key = {
        "type": "service_account",
        "private_key": "-----BEGIN-----\nsecretline\nother\n-----END-----\n",
    }
    connection = StorageConnection(
        conn_id="g", conn_type="google_cloud_platform", extra={"keyfile_dict": key}
    )
    told = set(credentials_in(rclone_settings(connection, {"gs"})))
    assert {json.dumps(key), key["private_key"], json.dumps(key["private_key"])[1:-1], "secretline"} <= told
    azure = StorageConnection(conn_id="a", conn_type="wasb", login="acct", extra={"sas_token": TOKEN})
    assert TOKEN in set(credentials_in(rclone_settings(azure, {"az"})))
