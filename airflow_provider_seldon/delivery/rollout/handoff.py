"""What remains to be done after a write to a deployment, as a value that a trigger can carry."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION, ANNOTATION_RUN_ID
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
from airflow_provider_seldon.core.rollout.write_mark import Written


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """
    What was done to a deployment, and what remains to be done when it is ready.

    :param name: name of the deployment.
    :param action: a :class:`core.rollout.Action` value: what the task's run did, including its earlier tries.
    :param reason: the reason for that action, as a sentence for the log.
    :param info: what is known about the deployment right after the write.
    :param expected: identifies the applied version.
    :param superseded: name -> uid of deployments to delete once it is ready.
    :param last_available: annotation value to record once it is ready; "" for nothing to record.
    :param in_flight: whether there is a rollout to wait for.
    :param unrecorded: whether the existing version is not proven yet, so that it is recorded as proven
        although nothing was written and there is no wait.
    :param refuted: whether the version failed its own smoke test. That overrides that another task has
        meanwhile found it ready and recorded it as proven.
    :param withdrawn: revision that a rollback replaces; "" for none.
    :param former_secrets: storage Secrets that are no longer used, to delete once it is ready.
    :param written: traces of the write, by which it is recognised later; None for a write of an earlier
        release.
    :param served_before: whether another version was serving at the time of the write, as far as is known.
    :param expires: when the deployment expires, for users; "" for never.
    :param expiry_before: value of the annotation ``expiry`` that restores the previous expiry; "" if there
        was none, None in a rollout of an earlier release.
    :param superseded_as: name -> fingerprint of deployments to delete, at the time of that decision.
    """

    name: str
    action: str
    reason: str
    info: ModelServerInfo
    expected: Expectation
    superseded: Mapping[str, str] = field(default_factory=dict)
    last_available: str = ""
    in_flight: bool = True
    withdrawn: str = ""
    former_secrets: Sequence[str] = ()
    written: Written | None = None
    superseded_as: Mapping[str, str] = field(default_factory=dict)
    served_before: bool = False
    expires: str = ""
    expiry_before: str | None = None
    unrecorded: bool = False
    refuted: bool = False

    def is_still(self, current: SeldonDeployment) -> bool:
        """Return whether ``current`` still is what this rollout wrote, and was not proven since."""
        return (
            current.uid == self.expected.uid
            and current.annotations.get(ANNOTATION_REVISION) == self.info.revision
            and current.annotations.get(ANNOTATION_RUN_ID, "") == self.info.run_id
            and (self.written is None or self.written.is_in(current, refuted=self.refuted_revision))
        )

    @property
    def refuted_revision(self) -> str:
        """The refuted revision: "" for none, or if it was proven before this rollout wrote it."""
        new = self.written is not None and self.written.proven != self.info.revision
        return self.info.revision if self.refuted and new else ""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **vars(self),
            "action": str(self.action),
            "info": self.info.to_dict(),
            "expected": self.expected.to_json(),
            "superseded": dict(self.superseded),
            "former_secrets": list(self.former_secrets),
            "written": self.written.to_json() if self.written else None,
            "superseded_as": dict(self.superseded_as),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rollout:
        """Read what :meth:`to_json` returned; unknown keys are ignored, so that versions can differ."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        info, expected = ModelServerInfo(**data["info"]), Expectation.from_json(data["expected"])
        written = Written.from_json(data["written"]) if data.get("written") else None
        return cls(**{**known, "info": info, "expected": expected, "written": written})


def new_mark() -> str:
    """Return a mark that distinguishes a write from every other; see ``core.rollout.write_mark``."""
    return uuid.uuid4().hex[:12]
