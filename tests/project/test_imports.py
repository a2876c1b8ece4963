"""The dependency rule, as written in pyproject.toml."""

import os

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from support.tree import ROOT


def test_imports_keep_to_the_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(ROOT / "src")
    status = lint_imports(config_filename=os.fspath(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out
