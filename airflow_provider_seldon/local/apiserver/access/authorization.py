"""Authentication and authorization: bearer tokens and simple deny rules.

Purpose: enough authentication and authorization to test a client's reaction to 401 and 403, and access
reviews that agree with the server's later decisions. There are no roles: everything is allowed except what a
rule denies.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo

ANONYMOUS = "system:anonymous"
LOCAL_USER = "local-admin"


@dataclass(frozen=True, kw_only=True)
class User:
    """An authenticated user: name and groups."""

    name: str = LOCAL_USER
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")


@dataclass(frozen=True, kw_only=True)
class Deny:
    """
    A rule that denies actions.

    :param verb: Kubernetes verb, or ``*``.
    :param resource: Plural, with a subresource if needed (``pods/log``), or ``*``.
    :param group: API group, or ``*``; empty is the core group.
    :param namespace: Namespace, or ``*``.
    :param name: Object name, or ``*``.
    :param user: User name, or ``*``.
    """

    verb: str = "*"
    resource: str = "*"
    group: str = "*"
    namespace: str = "*"
    name: str = "*"
    user: str = "*"

    def forbids(self, attributes: Attributes, user: User) -> bool:
        """Return whether the rule covers an action of a user."""
        pairs = (
            (self.verb, attributes.verb),
            (self.resource, attributes.resource),
            (self.group, attributes.group),
            (self.namespace, attributes.namespace),
            (self.name, attributes.name),
            (self.user, user.name),
        )
        return all(rule in ("*", value) for rule, value in pairs)


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """An action on a resource, with the attributes of an access review."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    @classmethod
    def of(cls, info: RequestInfo) -> Attributes:
        """Return the action of a request."""
        return cls(
            verb=info.verb,
            resource=info.permission,
            group=info.resource.group,
            namespace=info.namespace,
            name=info.name,
        )


class Authorizer:
    """
    Checks tokens and rules; both may be changed while the server runs.

    :param tokens: Accepted bearer tokens and their users; without any, no authentication is required.
    :param deny: Rules that deny actions.
    :param anonymous: If tokens are required, whether the version may be read without one.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | Iterable[str] = (),
        deny: Iterable[Deny] = (),
        anonymous: bool = True,
    ) -> None:
        self._anonymous = anonymous
        self.tokens: dict[str, str] = (
            dict(tokens) if isinstance(tokens, Mapping) else dict.fromkeys(tokens, LOCAL_USER)
        )
        self.deny: list[Deny] = list(deny)

    def authenticate(self, header: str) -> User:
        """
        Return the user of an ``Authorization`` header; without one, an anonymous user without permissions.

        :raises StatusError: 401 if tokens are required and this is not one of them.
        """
        if not self.tokens:
            return User()
        if not header and self._anonymous:
            return User(name=ANONYMOUS, groups=("system:unauthenticated",))
        scheme, _, token = header.partition(" ")
        name = self._user_of(token.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise status.unauthorized()
        return User(name=name)

    def has_token(self, header: str) -> bool:
        """Return whether tokens are required, and an ``Authorization`` header has one of them."""
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and self._user_of(token.strip()) is not None

    def _user_of(self, token: str) -> str | None:
        given = token.encode()
        return next(
            (name for known, name in self.tokens.items() if hmac.compare_digest(known.encode(), given)), None
        )

    def is_allowed(self, attributes: Attributes, user: User) -> bool:
        """Return whether a user may perform an action."""
        return user.name != ANONYMOUS and not any(rule.forbids(attributes, user) for rule in tuple(self.deny))

    def check_path(self, path: str, user: User) -> None:
        """
        Check a request to read a path that is not a resource.

        :raises StatusError: 403 for an anonymous user, unless it is the version.
        """
        if user.name == ANONYMOUS and path.rstrip("/") != "/version":
            raise status.StatusError(
                code=403,
                reason="Forbidden",
                message=f'forbidden: User "{user.name}" cannot get path "{path}"',
                details={},
            )

    def check(self, info: RequestInfo, user: User) -> None:
        """
        Check a request.

        :raises StatusError: 403 with the user, the verb, the resource and the namespace.
        """
        attributes = Attributes.of(info)
        if self.is_allowed(attributes, user):
            return
        where = f' in the namespace "{info.namespace}"' if info.namespace else " at the cluster scope"
        raise status.forbidden(
            group=info.resource.group,
            resource=info.resource.plural,
            name=info.name,
            why=(
                f'User "{user.name}" cannot {info.verb} resource "{info.permission}" in API group '
                f'"{info.resource.group}"{where}'
            ),
        )
