"""Bytes in, usage out: what a request asks for, and what its response reports.

Pure and sans-io: nothing here reads a socket, a clock or a file, and nothing here knows a price. One file a
dialect says which fields bear on cost; the others undo compression and framing.
"""

from budgetd.metering.apis import Api
from budgetd.metering.meter import Meter, meter
from budgetd.metering.request import peek, peek_beginning
from budgetd.metering.usage import Ask, Reading, Usage

__all__ = ["Api", "Ask", "Meter", "Reading", "Usage", "meter", "peek", "peek_beginning"]
