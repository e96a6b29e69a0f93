from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.office import Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """One with a limit of $10 a day."""
    office = Office(tmp_path)
    yield office
    await office.close()
