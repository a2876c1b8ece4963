"""The application in process, once for each file of tests that does not change its settings."""

from collections.abc import Iterator

import pytest

from support.in_process import Account, InProcess, running_in_process


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with running_in_process(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def ada(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture(scope="module")
def ben(gateway: InProcess) -> Account:
    return gateway.user()


@pytest.fixture
def room(gateway: InProcess, ada: Account, ben: Account) -> str:
    """A private room of ada's with ben as a member."""
    return gateway.room(gateway.admin, owner=ada, member=ben)
