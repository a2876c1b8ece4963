"""System programs that some tests need and a laptop may lack."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

# Where Debian keeps programs that it leaves out of PATH.
_BESIDE_PATH = ("/usr/sbin", "/usr/lib/postgresql/*/bin")


def require_tool(name: str, debian_package: str) -> Path:
    """Return the program `name`; without it skip the test, saying how to install it.

    Where GATEROOM_TEST_REQUIRE is `all`, as in CI, a missing program fails the test instead.
    """
    found = find_tool(name, _BESIDE_PATH)
    if found is not None:
        return found
    reason = f"{name} is not installed: apt-get install {debian_package}"
    if os.environ.get("GATEROOM_TEST_REQUIRE") == "all":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_tool(name: str, beside_path: Sequence[str] = ()) -> Path | None:
    """Return the program `name` from PATH, else from the newest directory that matches one of `beside_path`."""
    if on_path := shutil.which(name):
        return Path(on_path)
    for pattern in beside_path:
        directories = sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
        if inside := shutil.which(name, path=os.pathsep.join(map(str, directories))):
            return Path(inside)
    return None
