"""Quantities in canonical form."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.local.apiserver.protocol.quantities import canonical, canonical_amount
from airflow_provider_seldon.local.controllers.quantities import quantity

#: As a kube-apiserver 1.34 stores them; see also ``test_quantities_are_stored_in_canonical_form``.
STORED = {
    "0.5": "500m",
    "500m": "500m",
    "1000m": "1",
    "1500m": "1500m",
    "0": "0",
    "0Gi": "0",
    "1024Mi": "1Gi",
    "1.5Gi": "1536Mi",
    "0.1Gi": "107374182400m",
    "512": "512",
    "1000": "1k",
    "1000k": "1M",
    "1e3": "1e3",
    "12e2": "1200",
    "512Ki": "512Ki",
    "0.5Ki": "512",
    "100n": "100n",
    "0.1n": "1n",
    ".5": "500m",
}


@pytest.mark.parametrize(("sent", "stored"), STORED.items())
def test_canonical_form(sent: str, stored: str) -> None:
    assert canonical(sent) == stored


def test_amounts_of_resources_are_rounded_up_to_thousandths() -> None:
    assert canonical_amount("0.0001") == "1m"
    assert canonical_amount("1500u") == "2m"
    assert canonical_amount("0.1Gi") == "107374182400m"


def test_numbers_become_text_and_the_rest_stays() -> None:
    assert (canonical(2), canonical(0.25)) == ("2", "250m")
    assert (canonical("much"), canonical(None), canonical(True)) == ("much", None, True)


@given(
    st.decimals(0, 10**6, places=3, allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]),
)
def test_the_value_stays_and_so_does_the_canonical_form(number: Decimal, suffix: str) -> None:
    stored = canonical(f"{number:f}{suffix}")
    assert quantity(stored) == pytest.approx(quantity(f"{number:f}{suffix}"))
    assert canonical(stored) == stored
