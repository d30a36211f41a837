"""A canary that is held for an approval is looked at all the time, and aborted when it has to be."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_seldon.exceptions import CanaryAbortedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.canary import SeldonPromoteCanaryOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.sensors.canary import SeldonCanarySensor
from tests.integration.test_canary import (
    MONDAY,
    SERVED,
    TUESDAY,
    assert_serves,
    limits,
    operator,
    predictors,
    run,
)

#: Numbers to order, and pods that are there in a moment.
pytestmark = pytest.mark.simulated_pods("a canary that is held")


class Errors:
    """Says how many errors there are: none at first, and many from some look on."""

    def __init__(self, *, from_look: int) -> None:
        self._from = from_look
        self.looks = 0

    def __call__(self, *, predictor: str, **_: Any) -> float:
        if predictor != "canary":
            return 0.0
        self.looks += 1
        return 0.5 if self.looks >= self._from else 0.0


@pytest.fixture
def held(hook: SeldonHook) -> str:
    """The name of a deployment whose canary is held at 5 %."""
    result, _ = run(operator(SeldonDeployModelOperator, **SERVED), run_id="before", logical_date=MONDAY)
    run(operator(steps=[5], hold_at=5, bake=0.05), logical_date=TUESDAY)
    return str(result["name"])


def sensor(name: str, errors: Errors, **arguments: Any) -> SeldonCanarySensor:
    defaults = {"poke_interval": 0.1, "timeout": 60, "deferrable": False}
    return SeldonCanarySensor(
        task_id="watch", name=name, analysis=limits(errors), **{**defaults, **arguments}
    )


@pytest.mark.parametrize("mode", [{"deferrable": True}, {"mode": "poke"}], ids=["deferrable", "poke"])
def test_a_limit_that_is_broken_while_an_approval_is_waited_for_aborts_and_says_the_numbers(
    hook: SeldonHook, held: str, mode: dict[str, Any]
) -> None:
    errors = Errors(from_look=3)
    with pytest.raises(CanaryAbortedError) as aborted:
        run(sensor(held, errors, **mode))
    assert "aborted while it was held: errors: fail (0.5 is more than 0.01)" in str(aborted.value)
    assert "The previous version has all of the traffic again." in str(aborted.value)
    assert errors.looks == 3
    assert_serves(hook, held, "1")


def test_no_decision_aborts_and_a_decision_ends_the_sensor(hook: SeldonHook, held: str) -> None:
    other, _ = run(sensor(held, Errors(from_look=1)), run_id="another")
    assert other == "over", "another run's canary is none of its business"
    assert predictors(hook, held)["canary"] == ("2", 5)
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(held, Errors(from_look=9), timeout=0.2, poke_interval=0.3, deferrable=True))
    assert_serves(hook, held, "1")
    result, _ = run(sensor(held, Errors(from_look=1)))
    assert result == "over"
    promoted, _ = run(operator(SeldonPromoteCanaryOperator, name=held), logical_date=TUESDAY)
    assert promoted["action"] == "unchanged", "what was aborted is not promoted"
