"""
The failure policy: when a rollout counts as failed, as data.

The operator's ``Failed`` is never final and may appear for milliseconds only, and most broken updates never
become ``Failed`` at all (Seldon Core reference, status life cycle). So the policy defines what is fatal, what
must last, and for how long, with defaults that an operator argument can override. ``readiness`` applies it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem

#: Upper limit of all times (ten years); None means never.
MOST = 10 * 366 * 86400.0


class FailureKind(StrEnum):
    """What the description of a ``Failed`` state predicts."""

    TRANSIENT = "transient"  # the operator's own retries recover from it
    PERMANENT = "permanent"  # follows from the spec: no retry changes it
    UNKNOWN = "unknown"  # it may recover


#: The first match wins, case-insensitively. Seldon Core reference, known description strings.
DEFAULT_DESCRIPTIONS: tuple[tuple[str, FailureKind], ...] = (
    ("failed calling webhook", FailureKind.TRANSIENT),
    ("object has been modified", FailureKind.TRANSIENT),
    ("object is being deleted", FailureKind.TRANSIENT),
    ("already exists", FailureKind.TRANSIENT),
    (" is invalid:", FailureKind.PERMANENT),
    ("must be no more than 63 characters", FailureKind.PERMANENT),
    ("failed to get server config for", FailureKind.PERMANENT),
    ("failed to find podspec for prepackaged server", FailureKind.PERMANENT),
    ("expected to find a deployment for predictive unit", FailureKind.PERMANENT),
    ("invalid configuration: cannot find container", FailureKind.PERMANENT),
    ("failed to find executor image from environment", FailureKind.PERMANENT),
    ("failed to parse", FailureKind.PERMANENT),
    ("strconv.", FailureKind.PERMANENT),
    ("no image compatible with", FailureKind.PERMANENT),
    ("not supported", FailureKind.PERMANENT),
    ("invalid uri must be pvc://", FailureKind.PERMANENT),
    ("engine not separate and no", FailureKind.PERMANENT),
    ("only a single custom header match is allowed", FailureKind.PERMANENT),
    ("denied the request", FailureKind.UNKNOWN),
    ("forbidden", FailureKind.UNKNOWN),
    ("context deadline exceeded", FailureKind.TRANSIENT),
    ("connection refused", FailureKind.TRANSIENT),
    ("etcdserver", FailureKind.TRANSIENT),
    ("timeout", FailureKind.TRANSIENT),
    ("not found", FailureKind.TRANSIENT),
)

#: Waiting reason of a container -> seconds that it must last; 0 fails at once; a missing reason never fails.
DEFAULT_WAITING: Mapping[str, float] = {
    "InvalidImageName": 0.0,
    "ErrImageNeverPull": 0.0,
    "ErrImagePull": 60.0,
    "ImagePullBackOff": 60.0,
    "ImageInspectError": 30.0,
    "CreateContainerConfigError": 5.0,
    "CreateContainerError": 30.0,
    "RunContainerError": 30.0,
    "CreatePodSandboxError": 60.0,
}

#: With one of these in its message, a waiting container does not recover: no grace time.
DEFAULT_WAITING_AT_ONCE: tuple[str, ...] = (
    "manifest unknown",
    "manifest for ",
    ": not found",
    "name unknown",
    "repository does not exist",
    "pull access denied",
    "requested access to the resource is denied",
    "unauthorized",
    "invalid reference format",
)


@dataclass(frozen=True, kw_only=True)
class FailurePolicy:
    """
    What fails a rollout, and after how long. All times are seconds.

    :param failed_grace: how long the state ``Failed`` must last with the same description, unless that is
        transient (never fails) or permanent and newer than the write (fails at once).
    :param descriptions: part of a description -> kind; the first match wins.
    :param waiting: waiting reason of a container in a pod of the newest version -> how long it must last.
    :param waiting_at_once: parts of a waiting message without any grace time.
    :param crash_loop_count: restarts after which a crashing container fails the rollout.
    :param initializer_exit_count: failed runs of a model initializer that fail the rollout; within each run
        the initializer has already tried several times.
    :param unschedulable_grace: how long a pod may be unschedulable; a cluster autoscaler needs minutes to add
        a node.
    :param replica_failure_grace: how long the Deployment may be unable to create pods, e.g. because of a
        quota.
    :param deadline_grace: how long an exceeded progress deadline must last if these pods were not seen
        before: a template that is restored keeps the condition of the failed one until the first of the
        failed pods is gone (Kubernetes' Deployment controller).
    :param suspect_after: how long a child must lack available pods before its pods are read at all.
    :param leftover_grace: how long a child that was removed from the spec may keep available pods while it is
        being deleted; after that the verdict reports it and waits no longer.
    :param settle: how long to wait after a change that is not visible in any Deployment, such as traffic
        weights.
    :param weak_steady: without permission to read Deployments: how long the status must be good without
        interruption, once a status newer than the write was seen.
    :param weak_silent: the same while no newer status was seen.
    """

    failed_grace: float = 30.0
    descriptions: tuple[tuple[str, FailureKind], ...] = DEFAULT_DESCRIPTIONS
    waiting: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WAITING))
    waiting_at_once: tuple[str, ...] = DEFAULT_WAITING_AT_ONCE
    crash_loop_count: int = 3
    initializer_exit_count: int = 1
    unschedulable_grace: float = 300.0
    replica_failure_grace: float = 60.0
    deadline_grace: float = 10.0
    suspect_after: float = 8.0
    leftover_grace: float = 30.0
    settle: float = 2.0
    weak_steady: float = 30.0
    weak_silent: float = 60.0

    def kind_of(self, description: str) -> FailureKind:
        """Return what the description of a ``Failed`` state predicts."""
        text = description.lower()
        return next((kind for part, kind in self.descriptions if part in text), FailureKind.UNKNOWN)

    def waiting_grace(self, reason: str, message: str) -> float | None:
        """Return how long a container may wait with that reason, in seconds; None means for ever."""
        grace = self.waiting.get(reason)
        if grace and any(part in message.lower() for part in self.waiting_at_once):
            return 0.0
        return grace

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data: only what differs from the defaults."""
        default = asdict(FailurePolicy())
        plain = {key: _plain(value) for key, value in asdict(self).items() if value != default[key]}
        if "waiting" in plain:
            plain["waiting"] = dict.fromkeys(DEFAULT_WAITING) | dict(self.waiting)
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> FailurePolicy:
        """
        Return the policy that ``to_json`` wrote, or that a user gave as a mapping; a missing field keeps its
        default.

        ``waiting`` is merged into the default; a reason set to None never fails.

        :raises InvalidRequestError: names every unknown field with the nearest valid one, and every invalid
            value.
        """
        data = data or {}
        names = [one.name for one in fields(cls)]
        problems = [_unknown(str(key), names) for key in data if key not in names]
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in names:
                continue
            try:
                values[key] = _read(key, value)
            except (TypeError, ValueError) as error:
                problems.append(Problem(f"failure_policy.{key}", str(error), f"see FailurePolicy.{key}"))
        if problems:
            raise InvalidRequestError(problems)
        return cls(**values)


DEFAULT_POLICY = FailurePolicy()


def _read(key: str, value: Any) -> Any:
    if key == "descriptions":
        return tuple((str(part).lower(), FailureKind(kind)) for part, kind in value)
    if key == "waiting_at_once":
        return tuple(str(part).lower() for part in value)
    if key == "waiting":
        merged = dict(DEFAULT_WAITING) | dict(value)
        return {reason: _number(grace) for reason, grace in merged.items() if grace is not None}
    if key.endswith("_count"):
        return int(_number(value))
    return _number(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"must be a number, not {type(value).__name__}")
    if not 0 <= value < MOST:
        raise ValueError(f"must not be negative, and must be less than {MOST:g}")
    return float(value)


def _unknown(key: str, names: list[str]) -> Problem:
    near = difflib.get_close_matches(key, names, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(names)}"
    return Problem(f"failure_policy.{key}", "is not a field of the failure policy", fix)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, FailureKind) else value
