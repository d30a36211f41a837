"""The resource types that the local API server serves, as data.

Purpose: everything that differs between kinds and fits in a table: names, versions, scope, subresources,
verbs, and special rules of the real registry (unconditional updates, the body of the response to a delete).
Rules that need code (defaults, validation) are in ``defaults.py`` and ``validation.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from airflow_provider_seldon.core.resource.seldon_deployment import GROUP as SELDON_GROUP

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """
    One served resource.

    :param group: API group; empty for the core group.
    :param versions: Served versions, the stored one first.
    :param plural: Name in paths and in RBAC.
    :param kind: Kind of one object.
    :param short_names: Short names for ``kubectl``.
    :param categories: Categories such as that of ``kubectl get all``.
    :param namespaced: Whether objects live in namespaces.
    :param verbs: Supported verbs.
    :param subresources: Of ``status``, ``scale``, ``log``, ``proxy`` and ``binding``.
    :param custom: Whether a CustomResourceDefinition declares it (no strategic merge patch, strict updates).
    :param unconditional_update: Whether a PUT without a resource version is accepted.
    :param returns_deleted: Whether a DELETE returns the object instead of a ``Status``.
    :param generation: Whether ``metadata.generation`` counts the changes of the specification.
    :param mesh: Whether it belongs to Istio, and is served only where that is installed.
    :param stored: Whether its objects are stored; reviews are not.
    """

    group: str = ""
    versions: tuple[str, ...] = ("v1",)
    plural: str
    kind: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: frozenset[str] = frozenset()
    custom: bool = False
    unconditional_update: bool = True
    returns_deleted: bool = False
    generation: bool = False
    mesh: bool = False
    stored: bool = True

    @property
    def singular(self) -> str:
        """The lower-case kind."""
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name in the notation of errors, such as ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` of stored objects."""
        return self.api_version_of(self.versions[0])

    def api_version_of(self, version: str) -> str:
        """Return the ``apiVersion`` text for one served version."""
        return f"{self.group}/{version}" if self.group else version


_STATUS = frozenset({"status"})
_SCALABLE = frozenset({"status", "scale"})
_READ_ONLY = ("get", "list", "watch")
_SELDON_VERSIONS = ("v1", "v1alpha2", "v1alpha3")

RESOURCES: tuple[ResourceType, ...] = (
    ResourceType(
        plural="namespaces",
        kind="Namespace",
        short_names=("ns",),
        namespaced=False,
        verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
        subresources=_STATUS,
    ),
    ResourceType(
        plural="pods",
        kind="Pod",
        short_names=("po",),
        categories=("all",),
        subresources=frozenset({"status", "log", "binding"}),
        returns_deleted=True,
        generation=True,
    ),
    ResourceType(
        plural="services",
        kind="Service",
        short_names=("svc",),
        categories=("all",),
        subresources=frozenset({"status", "proxy"}),
        returns_deleted=True,
    ),
    ResourceType(plural="secrets", kind="Secret"),
    ResourceType(plural="configmaps", kind="ConfigMap", short_names=("cm",)),
    ResourceType(plural="serviceaccounts", kind="ServiceAccount", short_names=("sa",), returns_deleted=True),
    ResourceType(plural="events", kind="Event", short_names=("ev",)),
    ResourceType(
        group="apps",
        plural="deployments",
        kind="Deployment",
        short_names=("deploy",),
        categories=("all",),
        subresources=_SCALABLE,
        generation=True,
    ),
    ResourceType(
        group="apps",
        plural="replicasets",
        kind="ReplicaSet",
        short_names=("rs",),
        categories=("all",),
        subresources=_SCALABLE,
        generation=True,
    ),
    ResourceType(
        group=SELDON_GROUP,
        versions=_SELDON_VERSIONS,
        plural="seldondeployments",
        kind="SeldonDeployment",
        short_names=("sdep",),
        subresources=_SCALABLE,
        custom=True,
        unconditional_update=False,
        generation=True,
    ),
    ResourceType(
        group="networking.istio.io",
        versions=("v1alpha3", "v1beta1", "v1"),
        plural="virtualservices",
        kind="VirtualService",
        short_names=("vs",),
        generation=True,
        mesh=True,
    ),
    ResourceType(
        group="apiextensions.k8s.io",
        plural="customresourcedefinitions",
        kind="CustomResourceDefinition",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        namespaced=False,
        verbs=_READ_ONLY,
    ),
    ResourceType(
        group="authorization.k8s.io",
        plural="selfsubjectaccessreviews",
        kind="SelfSubjectAccessReview",
        namespaced=False,
        verbs=("create",),
        stored=False,
    ),
    ResourceType(
        group="authorization.k8s.io",
        plural="selfsubjectrulesreviews",
        kind="SelfSubjectRulesReview",
        namespaced=False,
        verbs=("create",),
        stored=False,
    ),
    ResourceType(
        group="authentication.k8s.io",
        plural="selfsubjectreviews",
        kind="SelfSubjectReview",
        namespaced=False,
        verbs=("create",),
        stored=False,
    ),
)

_BY_PATH: Mapping[tuple[str, str, str], ResourceType] = MappingProxyType(
    {(r.group, version, r.plural): r for r in RESOURCES for version in r.versions}
)
_BY_KIND: Mapping[tuple[str, str], ResourceType] = MappingProxyType(
    {(r.group, r.kind): r for r in RESOURCES if r.stored}
)
BY_PLURAL: Mapping[str, ResourceType] = MappingProxyType({r.plural: r for r in RESOURCES})


def find(group: str, version: str, plural: str) -> ResourceType | None:
    """Return the resource that is served at this group, version and plural, if any."""
    return _BY_PATH.get((group, version, plural))


def find_kind(api_version: str, kind: str) -> ResourceType | None:
    """Return the stored resource of an object's ``apiVersion`` and ``kind``, of any version."""
    group, _, _ = api_version.rpartition("/")
    return _BY_KIND.get((group, kind))
