"""The process of a daily sync: an order on standard input, outcomes on standard output."""

import asyncio
import sys

import msgspec

from budgetd.pricing.sync.daily import Order, carry_out

if __name__ == "__main__":
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(carry_out(order))))
