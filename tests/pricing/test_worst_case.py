"""The worst case against recorded exchanges: no bounded request cost more than its bound."""

import base64
from typing import Any

import msgspec
import pytest

from budgetd.metering import Ask, peek
from budgetd.pricing.book import load_book
from budgetd.pricing.estimate import estimate
from budgetd.pricing.pricer import Pricer
from metering.exchanges import read
from metering.test_corpus import APIS, EXCHANGES, header

AT = 1_795_435_200.0
BOOK = load_book()
POSTED = [each for each in EXCHANGES if each["method"] == "POST" and each["status"] == 200]

pytestmark = pytest.mark.skipif(not POSTED, reason="the recorded corpus is not here (../shared/corpus)")


@pytest.mark.parametrize("exchange", POSTED, ids=lambda each: f"{each['endpoint']}-{each['id']}")
def test_no_recorded_exchange_cost_more_than_its_worst_case(exchange: dict[str, Any]) -> None:
    endpoint = exchange["endpoint"]
    api = APIS[endpoint]
    body = base64.b64decode(exchange["response_body"])
    reading = read(api, body, header(exchange, "content-type"), header(exchange, "content-encoding"))
    ask = peek(api, exchange["path"], exchange["request_body"].encode())
    pricer = Pricer(BOOK, endpoint.partition(".")[0], AT, free=False)
    sized = pricer.expect(ask)
    cost = pricer.tally(ask, reading, failed=False, metered=True)
    assert (sized.worst_nusd is None) == bool(sized.unbounded)
    if sized.worst_nusd is not None and cost.basis == "reported":
        assert cost.nusd <= sized.worst_nusd


def test_some_of_them_are_bounded() -> None:
    asks = (peek(APIS[each["endpoint"]], each["path"], each["request_body"].encode()) for each in POSTED)
    assert sum(not Pricer(BOOK, "openai", AT, free=False).expect(ask).unbounded for ask in asks) >= 5


def test_a_small_picture_may_fill_the_window() -> None:
    """A picture of a few hundred bytes can be billed as thousands of tokens: bytes bound nothing then."""
    words = Ask(model="claude-haiku-4-5", body_bytes=600, output_cap=100)
    picture = msgspec.structs.replace(words, media=True)
    price = load_book().price("anthropic", "claude-haiku-4-5", 1_795_435_200.0)
    assert price is not None
    assert price.context_window is not None
    bounds = [estimate(ask, price).worst_nusd or 0 for ask in (words, picture)]
    assert 0 < bounds[0] < price.context_window * 1_000 <= bounds[1]
