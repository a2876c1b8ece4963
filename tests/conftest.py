"""What every test shares: how hypothesis looks for examples, and that nothing secret is said."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from support.secrecy import leaks_in

# No deadline: a machine under load is slow, not wrong. CI tries the same examples every time.
settings.register_profile("fast", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") or os.environ.get("GATEROOM_TEST_REQUIRE") else "fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail whatever test has a token, a ticket or an API key in what was captured of it: output and log (LG-1)."""
    report = yield
    leaks = [line for _, text in report.sections for line in leaks_in(text.splitlines())]
    if leaks and report.passed:
        report.outcome = "failed"
        report.longrepr = "A secret was printed or logged:\n" + "\n".join(leaks)
    return report
