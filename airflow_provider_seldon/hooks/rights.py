"""What a connection must be allowed to do, and whether it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

#: What the account of a connection must be allowed: text -> (verb, API group, resource).
RIGHTS = {
    f"{verb} {resource}{f'.{group}' if group else ''}": (verb, group, resource)
    for group, resource, verbs in (
        ("machinelearning.seldon.io", "seldondeployments", "get list watch create patch delete"),
        ("apps", "deployments", "list watch"),
        ("", "pods", "list"),
        ("", "pods/log", "get"),
        ("", "events", "list"),
    )
    for verb in verbs.split()
}

#: And where its storage credentials become a Secret.
SECRET_RIGHTS = {f"{verb} secrets": (verb, "", "secrets") for verb in ("get", "create", "patch", "delete")}


def check(hook: SeldonHook) -> tuple[bool, str]:
    """See :meth:`SeldonHook.test_connection`; the message says what to do."""
    try:
        if not hook.client.crd_served():
            return False, (
                f"The cluster at {hook.cluster.configuration.host} answers, but does not know "
                "SeldonDeployments (machinelearning.seldon.io/v1). Install Seldon Core there, or check the host."
            )
        missing = hook.client.missing_rights(
            RIGHTS | SECRET_RIGHTS if hook.storage_connection_id() else RIGHTS
        )
    except Exception as error:  # whatever it is, the form shows it instead of a stack trace
        return False, str(error)
    if missing:
        return False, (
            f"The connection's account lacks, in namespace {hook.namespace}: {', '.join(missing)}. "
            "Bind a role that grants them."
        )
    return True, f"Seldon Core answers in namespace {hook.namespace}, and all rights needed are there."
