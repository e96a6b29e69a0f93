from collections.abc import AsyncIterator

import pytest

from reconcile.billing import Billing


@pytest.fixture
async def billing() -> AsyncIterator[Billing]:
    async with Billing().serving() as it:
        yield it
