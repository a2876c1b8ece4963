"""One real `gateroom serve` process for each file of tests that does not change its settings."""

from collections.abc import Iterator

import pytest

from support.gateway import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    with running_gateway(demo=True) as running:
        yield running
