from pathlib import Path

import pytest

from support.require import find_tool, require_tool


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the one program `there`, as the only one in PATH."""
    (tmp_path / "there").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_program_that_is_installed_is_returned(tools: Path) -> None:
    assert require_tool("there", "there-server") == tools / "there"


def test_a_test_without_its_program_skips_and_says_what_to_install(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATEROOM_TEST_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="missing is not installed: apt-get install missing-server"):
        require_tool("missing", "missing-server")


def test_where_everything_is_required_it_fails_instead(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEROOM_TEST_REQUIRE", "all")
    with pytest.raises(pytest.fail.Exception, match="missing is not installed: apt-get install missing-server"):
        require_tool("missing", "missing-server")


def test_a_program_outside_path_is_taken_from_the_newest_version(tools: Path) -> None:
    for version in ("15", "18"):
        (tools / version / "bin").mkdir(parents=True)
        (tools / version / "bin" / "inner").touch(mode=0o755)
    assert find_tool("inner", [f"{tools}/*/bin"]) == tools / "18" / "bin" / "inner"
    assert find_tool("inner") is None
