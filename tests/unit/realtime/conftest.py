"""What tests of the live path start from."""

import pytest

from support.live import LiveWorld


@pytest.fixture
def world() -> LiveWorld:
    """An empty world with the usual limits."""
    return LiveWorld()
