from __future__ import annotations

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.storage.rclone_secret import (
    is_credential,
    rclone_settings,
    scheme_of,
    secret_name,
)
from airflow_provider_seldon.core.storage.storage_connection import StorageConnection


def connection(conn_type: str, **parts: object) -> StorageConnection:
    return StorageConnection(conn_id="store", conn_type=conn_type, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("s3://bucket/model", "s3"),
        ("S3://bucket/model", "s3"),
        ("s3:bucket/model", "s3"),
        ("/mnt/models/iris", ""),
        ("pvc://claim/iris", "pvc"),
        (None, ""),
    ],
)
def test_scheme_of_a_model_uri(uri: str | None, scheme: str) -> None:
    assert scheme_of(uri) == scheme


def test_aws_keys_become_an_s3_remote() -> None:
    aws = connection(
        "aws", login="AKIA", password="shh", extra={"region_name": "eu-west-1", "aws_session_token": "token"}
    )
    assert rclone_settings(aws, {"s3"}) == {
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "AWS",
        "RCLONE_CONFIG_S3_ENV_AUTH": "false",
        "RCLONE_CONFIG_S3_ACCESS_KEY_ID": "AKIA",
        "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "shh",
        "RCLONE_CONFIG_S3_SESSION_TOKEN": "token",
        "RCLONE_CONFIG_S3_REGION": "eu-west-1",
    }


def test_aws_without_keys_uses_the_pods_own_role() -> None:
    settings = rclone_settings(connection("aws"), {"s3"})
    assert settings["RCLONE_CONFIG_S3_ENV_AUTH"] == "true"
    assert "RCLONE_CONFIG_S3_ACCESS_KEY_ID" not in settings


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": "http://minio:9000"},
        {"service_config": {"s3": {"endpoint_url": "http://minio:9000"}}},
    ],
)
def test_an_endpoint_of_ones_own_means_minio(extra: dict[str, object]) -> None:
    settings = rclone_settings(connection("aws", login="a", password="b", extra=extra), {"s3"})
    assert settings["RCLONE_CONFIG_S3_ENDPOINT"] == "http://minio:9000"
    assert settings["RCLONE_CONFIG_S3_PROVIDER"] == "Minio"


def test_the_remote_bears_the_scheme_of_the_uri_not_the_name_of_the_cloud() -> None:
    """An Azure remote that is not called like the URI's scheme can never be matched by rclone."""
    azure = connection("wasb", login="account", password="key")
    assert rclone_settings(azure, {"az"})["RCLONE_CONFIG_AZ_TYPE"] == "azureblob"
    assert rclone_settings(azure, {"wasb"})["RCLONE_CONFIG_WASB_KEY"] == "key"


def test_google_key_goes_in_as_one_json_text() -> None:
    google = connection("google_cloud_platform", extra={"keyfile_dict": {"type": "service_account"}})
    settings = rclone_settings(google, {"gs"})
    assert settings["RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS"] == '{"type": "service_account"}'
    assert settings["RCLONE_CONFIG_GS_ANONYMOUS"] == "false"


def test_schemes_that_need_no_credentials_get_none() -> None:
    assert rclone_settings(connection("aws"), {"pvc", "", "file"}) == {}


def test_any_rclone_remote_can_be_given_as_plain_extras() -> None:
    sftp = connection("generic", extra={"rclone_type": "sftp", "rclone_host": "files", "unrelated": "x"})
    assert rclone_settings(sftp, {"sftp"}) == {
        "RCLONE_CONFIG_SFTP_TYPE": "sftp",
        "RCLONE_CONFIG_SFTP_HOST": "files",
    }


def test_a_connection_of_another_cloud_is_refused_with_the_fix() -> None:
    with pytest.raises(InvalidRequestError, match=r"storage_conn_id.*gs://.*google_cloud_platform"):
        rclone_settings(connection("aws"), {"gs"})


def test_a_rotated_credential_gives_another_secret() -> None:
    before = rclone_settings(connection("aws", login="a", password="old"), {"s3"})
    after = rclone_settings(connection("aws", login="a", password="new"), {"s3"})
    assert secret_name(before) == secret_name(dict(reversed(before.items())))
    assert secret_name(before) != secret_name(after)


def test_credentials_are_distinguished_from_settings() -> None:
    settings = rclone_settings(connection("aws", login="AKIA", password="shh"), {"s3"})
    assert [value for key, value in settings.items() if is_credential(key)] == ["shh"]


def test_no_credential_is_shown_by_repr() -> None:
    assert "shh" not in repr(connection("aws", password="shh", extra={"aws_secret_access_key": "shh"}))
