"""`python -m tests.bench.prices`: prices from the table beside genai-prices, each in its own process."""

import json
import statistics
import subprocess
import sys

ROUNDS = 5

OURS = """
from budgetd.metering.usage import Usage
import time
began = time.perf_counter()
from budgetd.pricing.compile import shipped
table = shipped()
loaded = time.perf_counter() - began
from budgetd.pricing.book import Book, Sources
book = Book(lambda: Sources(table))
used = Usage(input_tokens=10_000, cache_read_tokens=4_000, cache_write_tokens=1_000, output_tokens=500)
def call(n):
    price = book.price("anthropic", models[n % 3], 1_795_435_200.0 + n)
    price.cost_nusd(used)
"""

THEIRS = """
import datetime, time
began = time.perf_counter()
from genai_prices import Usage, calc_price
from genai_prices.data import providers
loaded = time.perf_counter() - began
used = Usage(input_tokens=10_000, cache_read_tokens=4_000, cache_write_tokens=1_000, output_tokens=500)
at = datetime.datetime.fromtimestamp(1_795_435_200, datetime.UTC)
def call(n):
    calc_price(used, models[n % 3], provider_id="anthropic", genai_request_timestamp=at)
"""

MEASURE = """
import json
models = ("claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5")
for n in range(10):
    call(n)
began = time.perf_counter()
for n in range(5_000):
    call(n)
a_call = (time.perf_counter() - began) / 5_000
print(json.dumps([loaded * 1e3, a_call * 1e6]))
"""


def main() -> None:
    """Print the medians of some rounds, one after the other, and their ratios."""
    measure(OURS)  # compiles the table where it never was
    rounds = [(measure(OURS), measure(THEIRS)) for _ in range(ROUNDS)]
    for place, (what, unit) in enumerate((("loading prices", "ms"), ("pricing a call", "µs"))):
        ours, theirs = (statistics.median(each[who][place] for each in rounds) for who in (0, 1))
        print(
            f"{ours:8.1f} {unit} {what}; genai-prices {theirs:.1f} {unit}, {theirs / ours:.0f} times as long"
        )


def measure(program: str) -> list[float]:
    """Milliseconds to load and microseconds a call, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program + MEASURE], capture_output=True, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
