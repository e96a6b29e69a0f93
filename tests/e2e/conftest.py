"""What the end-to-end tests share: a loop in the background, and homes that are taken away again."""

from collections.abc import Iterator

import pytest

from e2e.background import Background


@pytest.fixture(scope="session")
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def no_proxies() -> Iterator[None]:
    """Clients find their way to the loopback by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        yield
