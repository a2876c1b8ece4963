"""What `gateroom` offers to programs that import it: what the contract names, and nothing else (section 6)."""

import inspect
import subprocess
import sys
from importlib.metadata import version

import gateroom

PROMISED = {
    "Gateroom",
    "Settings",
    "Principal",
    "CurrentPrincipal",
    "SocketPrincipal",
    "require_scope",
    "publish",
    "send_to_user",
    "connections_of",
    "create_app",
    "__version__",
}


def test_the_public_names_are_those_that_are_promised() -> None:
    assert set(gateroom.__all__) == PROMISED
    assert len(gateroom.__all__) == len(PROMISED)


def test_every_public_name_is_there_and_explains_itself() -> None:
    for name in gateroom.__all__:
        value = getattr(gateroom, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_nothing_else_is_in_sight() -> None:
    """Modules of the package are; they are an installation's own business."""
    visible = {
        name for name, value in vars(gateroom).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert visible == PROMISED - {"__version__"}


def test_the_version_is_that_of_the_package() -> None:
    assert gateroom.__version__ == version("gateroom")


def test_importing_it_says_nothing_and_starts_nothing() -> None:
    program = "import threading, gateroom; print(threading.active_count())"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")
