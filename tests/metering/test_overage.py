"""What an answer to a subscription says of its paid extra usage."""

import pytest

from budgetd.metering.overage import Overage, read_overage

PREFIX = "anthropic-ratelimit-unified-"
STATUS = {"status": "allowed"}


def read(said: dict[str, str], status: int = 200) -> Overage | None:
    headers = [(f"{PREFIX}{name}".encode(), value.encode()) for name, value in said.items()]
    by_name = {name.lower(): value.decode() for name, value in headers}
    return read_overage(status, lambda name: by_name.get(name, ""), headers)


def test_an_answer_that_says_so_is_billed_as_extra_usage() -> None:
    assert read({"overage-in-use": "true"}) == Overage(in_use=True)
    assert read({"overage-in-use": " True "}) == Overage(in_use=True)


@pytest.mark.parametrize("said", [STATUS, {"overage-in-use": "false"}, {**STATUS, "overage-in-use": "false"}])
def test_else_the_plan_paid(said: dict[str, str]) -> None:
    assert read(said) == Overage(in_use=False)


def test_an_answer_without_a_word_of_the_plan_says_nothing() -> None:
    assert read({}) is None
    assert read(STATUS, status=429) is None
    assert read({"overage-in-use": "false"}, status=429) == Overage(in_use=False)


def test_the_plan_pays_again_when_the_last_window_that_is_used_up_begins_anew() -> None:
    used = {
        "overage-in-use": "true",
        "5h-utilization": "1.0", "5h-reset": "1795440000",
        "7d-utilization": "0.64", "7d-reset": "1795900000",
        "7d_opus-utilization": "102", "7d_opus-reset": "1795800000",
        "overage-utilization": "1.0", "overage-reset": "1799999999",
    }  # fmt: skip
    assert read(used) == Overage(in_use=True, until=1795800000.0)
    assert read({**used, "7d_opus-utilization": "0.3"}) == Overage(in_use=True, until=1795440000.0)
    assert read({**used, "7d-status": "rejected"}) == Overage(in_use=True, until=1795900000.0)


@pytest.mark.parametrize("reset", ["", "soon", "-1", "1e400", "9" * 40])
def test_where_a_reset_is_not_told_nobody_knows_when(reset: str) -> None:
    used = {"overage-in-use": "true", "5h-utilization": "1", "5h-reset": reset}
    assert read(used) == Overage(in_use=True)
