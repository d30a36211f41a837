"""Lists: selectors, pages, resource versions, tables."""

from __future__ import annotations

import pytest

from tests.integration.local.apiserver.rest import APPS, CORE, SELDON, Rest, pod, seldon_deployment


@pytest.fixture
def six(api: Rest) -> Rest:
    """Six SeldonDeployments, ``m0`` to ``m5``, labelled with their number and whether it is odd."""
    for number in range(6):
        labels = {"number": str(number), "odd": str(number % 2)} | ({"last": ""} if number == 5 else {})
        api.post(api.sdep(), seldon_deployment(f"m{number}", metadata={"labels": labels})).ok()
    return api


@pytest.mark.parametrize(
    ("selector", "numbers"),
    [
        ("odd=1", "135"),
        ("odd==1,number!=3", "15"),
        ("number in (1, 2,9)", "12"),
        ("number notin (0,1,2)", "345"),
        ("last", "5"),
        ("!last,odd=1", "13"),
        ("nothing!=x", "012345"),
        ("nothing notin (x)", "012345"),
        ("number>3", "45"),
        ("last=", "5"),
    ],
)
def test_labels_select(six: Rest, selector: str, numbers: str) -> None:
    assert six.get(six.sdep(), labelSelector=selector).names == [f"m{number}" for number in numbers]


@pytest.mark.parametrize("selector", ["a b", "a in (b", ",", "a=-x-"])
def test_a_label_selector_that_makes_no_sense_is_refused(api: Rest, selector: str) -> None:
    answer = api.get(api.sdep(), labelSelector=selector)
    assert (answer.code, answer.reason) == (400, "BadRequest")


def test_fields_select(six: Rest) -> None:
    assert six.get(six.sdep(), fieldSelector="metadata.name=m2").names == ["m2"]
    assert six.get(six.sdep(), fieldSelector="metadata.name!=m2").names == ["m0", "m1", "m3", "m4", "m5"]
    everywhere = f"{SELDON}/seldondeployments"
    assert len(six.get(everywhere, fieldSelector=f"metadata.namespace={six.namespace}").names) == 6
    assert six.get(six.sdep(), fieldSelector="metadata.namespace=elsewhere").names == []


def test_pods_are_found_by_node_and_phase(api: Rest) -> None:
    path = api.path(CORE, "pods")
    api.post(path, pod("a", nodeName="one")).ok()
    api.post(path, pod("b", nodeName="two")).ok()
    api.merge(api.path(CORE, "pods", "b", "status"), {"status": {"phase": "Running"}}).ok()
    assert api.get(path, fieldSelector="spec.nodeName=one").names == ["a"]
    assert api.get(path, fieldSelector="status.phase=Running").names == ["b"]
    assert api.get(path, fieldSelector="status.phase!=Running,spec.nodeName=one").names == ["a"]


def test_events_are_found_by_what_they_are_about(api: Rest) -> None:
    path = api.path(CORE, "events")
    for name, kind, about in (("e1", "Warning", "p"), ("e2", "Normal", "p"), ("e3", "Warning", "q")):
        involved = {"kind": "Pod", "name": about, "namespace": api.namespace, "uid": f"uid-{about}"}
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "type": kind}
        api.post(path, body | {"involvedObject": involved, "reason": "Testing"}).ok()
    assert api.get(path, fieldSelector="involvedObject.name=p,type=Warning").names == ["e1"]
    assert api.get(path, fieldSelector="involvedObject.uid=uid-q").names == ["e3"]
    assert api.get(path, fieldSelector="reason=Testing,involvedObject.kind=Pod").names == ["e1", "e2", "e3"]


@pytest.mark.parametrize(
    ("api_path", "plural", "message"),
    [
        (SELDON, "seldondeployments", "field label not supported: status.state"),
        (CORE, "pods", "field label not supported: status.state"),
        (
            APPS,
            "deployments",
            '"status.state" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_other_fields_cannot_be_selected_by(api: Rest, api_path: str, plural: str, message: str) -> None:
    answer = api.get(api.path(api_path, plural), fieldSelector="status.state=Available")
    assert (answer.code, answer.message) == (400, message)


def test_pages_cover_everything_once(six: Rest) -> None:
    seen, token, remaining = [], "", []
    while True:
        page = six.get(six.sdep(), limit=2, **({"continue": token} if token else {})).ok()
        seen += page.names
        remaining.append(page.metadata.get("remainingItemCount"))
        token = page.metadata.get("continue", "")
        if not token:
            break
    assert seen == [f"m{number}" for number in range(6)]
    assert remaining == [4, 2, None]


def test_a_page_of_exactly_the_rest_is_the_last(six: Rest) -> None:
    first = six.get(six.sdep(), limit=5).ok()
    assert first.metadata["remainingItemCount"] == 1
    second = six.get(six.sdep(), limit=5, **{"continue": first.metadata["continue"]}).ok()
    assert second.names == ["m5"]
    assert not second.metadata.get("continue")
    assert not six.get(six.sdep(), limit=6).metadata.get("continue")


def test_pages_show_one_moment(six: Rest) -> None:
    first = six.get(six.sdep(), limit=2).ok()
    six.delete(six.sdep("m4")).ok()
    six.post(six.sdep(), seldon_deployment("m3a")).ok()
    six.merge(six.sdep("m5"), {"spec": {"replicas": 7}}).ok()
    rest = six.get(six.sdep(), limit=10, **{"continue": first.metadata["continue"]}).ok()
    assert rest.names == ["m2", "m3", "m4", "m5"]
    assert "replicas" not in rest.body["items"][-1]["spec"]
    assert rest.revision == first.revision


def test_pages_of_selected_objects_do_not_count_the_rest(six: Rest) -> None:
    page = six.get(six.sdep(), limit=2, labelSelector="odd=1").ok()
    assert page.names == ["m1", "m3"]
    assert "remainingItemCount" not in page.metadata
    rest = six.get(six.sdep(), limit=2, labelSelector="odd=1", **{"continue": page.metadata["continue"]})
    assert rest.ok().names == ["m5"]


def test_a_list_of_an_exact_version_is_history(six: Rest) -> None:
    at = six.get(six.sdep("m2")).revision
    exact = {"resourceVersion": at, "resourceVersionMatch": "Exact"}
    assert six.get(six.sdep(), **exact).names == ["m0", "m1", "m2"]
    newer = {"resourceVersion": at, "resourceVersionMatch": "NotOlderThan"}
    assert len(six.get(six.sdep(), **newer).names) == 6
    assert len(six.get(six.sdep(), resourceVersion="0").names) == 6


def test_parameters_that_exclude_each_other_are_refused(six: Rest) -> None:
    token = six.get(six.sdep(), limit=1).metadata["continue"]
    both = six.get(six.sdep(), resourceVersion="1", **{"continue": token})
    assert (both.code, both.message) == (
        400,
        "specifying resource version is not allowed when using continue",
    )
    alone = six.get(six.sdep(), resourceVersionMatch="Exact")
    assert (alone.code, alone.causes) == (422, [("resourceVersionMatch", "FieldValueForbidden")])
    assert six.get(six.sdep(), resourceVersion="latest").code == 400
    assert six.get(six.sdep(), limit="many").code == 400
    assert six.get(six.sdep(), **{"continue": "nonsense"}).code == 400


def test_the_future_is_not_known(api: Rest) -> None:
    answer = api.get(api.sdep(), resourceVersion="99999999")
    assert (answer.code, answer.reason) == (504, "Timeout")
    assert "Too large resource version: 99999999" in answer.message
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_tables_have_the_columns_of_the_definition(six: Rest) -> None:
    table = six.get(six.sdep(), accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json").ok()
    assert table.body["kind"] == "Table"
    assert [column["name"] for column in table.body["columnDefinitions"]] == ["Name", "Age"]
    assert [row["cells"][0] for row in table.body["rows"]] == [f"m{number}" for number in range(6)]
    assert table.body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_alone_can_be_had(six: Rest) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    listed = six.get(six.sdep(), accept=accept).ok()
    assert listed.body["kind"] == "PartialObjectMetadataList"
    assert set(listed.body["items"][0]) == {"kind", "apiVersion", "metadata"}


def test_items_of_built_in_lists_do_not_say_what_they_are(api: Rest) -> None:
    api.post(api.path(CORE, "pods"), pod("p")).ok()
    api.post(api.sdep(), seldon_deployment("m")).ok()
    assert "kind" not in api.get(api.path(CORE, "pods")).body["items"][0]
    assert api.get(api.sdep()).body["items"][0]["kind"] == "SeldonDeployment"
