"""What a write to a deployment leaves to be done, as a value that can travel with a trigger."""

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
    What was done to a deployment, and what is left to do when it serves.

    :param name: name of the deployment.
    :param action: a :class:`core.rollout.Action` value: what the task's run did, its earlier tries included.
    :param reason: sentence for the log that says why that action.
    :param info: what is known about the deployment right after the write.
    :param expected: how the applied version is recognised.
    :param superseded: name -> uid of deployments to delete once it serves.
    :param last_available: annotation value to record once it serves; "" for nothing to record.
    :param in_flight: whether there is a rollout to wait for.
    :param unrecorded: whether the version that is there was not proven yet, so that it is recorded as proven although
        nothing was written and nothing is waited for.
    :param refuted: whether its own smoke test has found the version wrong. That counts for more than that another task
        has seen it ready meanwhile, and recorded it as proven.
    :param withdrawn: revision that a rollback goes back from; "" for none.
    :param former_secrets: storage Secrets that were used before and are not any more, to give up once it serves.
    :param written: what the write left, by which it is recognised later; None for what an earlier release wrote.
    :param served_before: whether another version was serving when it was written, as far as is known.
    :param expires: when the deployment's time is over, for people to read; "" for never.
    :param expiry_before: what the annotation ``expiry`` would have to be to give back the time that it had before; ""
        where it had none, None in what an earlier release wrote.
    :param superseded_as: name -> fingerprint of deployments to delete, as they were when that was decided.
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
        """Return whether ``current`` is, in all that this rollout wrote, what it wrote, and not proven since."""
        return (
            current.uid == self.expected.uid
            and current.annotations.get(ANNOTATION_REVISION) == self.info.revision
            and current.annotations.get(ANNOTATION_RUN_ID, "") == self.info.run_id
            and (self.written is None or self.written.is_in(current, refuted=self.refuted_revision))
        )

    @property
    def refuted_revision(self) -> str:
        """The revision that is refuted: "" for none, or where it was proven before this rollout wrote it."""
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
    """Return what tells one write apart from every other; see ``core.rollout.write_mark``."""
    return uuid.uuid4().hex[:12]
