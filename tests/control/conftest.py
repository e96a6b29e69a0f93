import pytest


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory):
    """Where a socket can be: short, for the names of sockets are bounded."""
    return tmp_path_factory.mktemp("s") / "run" / "d.sock"
