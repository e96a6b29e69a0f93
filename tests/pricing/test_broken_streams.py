"""Estimates of recorded streams that are cut off, against what they had used: the table of docs/estimates.md.

``BUDGETTOP_WRITE_DOCS=1`` writes it anew; otherwise it is compared.
"""

import os
from pathlib import Path

import pytest

from budgetd.metering.text import CAN_COUNT
from metering.corpus import CORPUS, WHY_SKIPPED
from pricing.broken_streams import cuts, guesses, learned_from, quantile, recorded, table

PAGE = Path(__file__).parents[2] / "docs" / "estimates.md"
BEGIN, END = "<!-- made by tests/pricing/test_broken_streams.py -->\n", "<!-- end -->\n"

pytestmark = [
    pytest.mark.skipif(not CORPUS.exists(), reason=WHY_SKIPPED),
    pytest.mark.skipif(not CAN_COUNT, reason="the extra `tokens` is not installed"),
]


def test_the_page_shows_how_far_off_estimates_are() -> None:
    head, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    stood, end, tail = rest.partition(END)
    assert begin
    assert end
    made = "\n".join(table()) + "\n"
    if os.environ.get("BUDGETTOP_WRITE_DOCS") == "1":
        PAGE.write_text(head + begin + made + end + tail, encoding="utf-8")
    else:
        assert stood == made, "run BUDGETTOP_WRITE_DOCS=1 pytest tests/pricing/test_broken_streams.py"


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_no_way_to_guess_misses_most_streams_by_half(share: float) -> None:
    answers = recorded()
    errors: dict[str, list[float]] = {}
    for answer in answers:
        for cut in cuts(answer, share) if answer.exchange["wire"] != "json" else ():
            for way, guess in guesses(cut, learned_from(answers, answer)).items():
                assert guess >= (cut.reading.usage.output_tokens if cut.reading.usage else 0)
                errors.setdefault(way, []).append(abs(guess / cut.true_tokens - 1))
    assert {way: quantile(each, 50) < 0.5 for way, each in errors.items()} == dict.fromkeys(errors, True)
    assert len(errors["bytes"]) > 20
