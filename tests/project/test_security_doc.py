"""docs/security.md: every requirement is there once, with tests that exist."""

import ast
import re
from functools import cache

import pytest

from support.tree import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
AREAS = {
    "PW": 6,
    "TI": 5,
    "TV": 7,
    "RR": 5,
    "HS": 7,
    "LC": 6,
    "MH": 7,
    "RA": 6,
    "DS": 6,
    "LG": 3,
    "AD": 3,
    "HC": 3,
    "MN": 3,
    "CF": 3,
}
IDS = [f"{area}-{number}" for area, count in AREAS.items() for number in range(1, count + 1)]
ROW = re.compile(r"^\| ([A-Z]{2}-\d+) \| (.+?) \| (.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ANY_NAMED = re.compile(r"tests/[\w/]+\.py(?:::\w+)?")
LATER, NOT_OFFERED = {"MN-1", "MN-2", "MN-3"}, {"HS-6"}
PARTLY_LATER = {"RR-2", "RR-4", "LC-2", "RA-3", "LG-1"}


def rows() -> dict[str, tuple[str, str]]:
    return {id_: (promise, shown) for id_, promise, shown in ROW.findall(DOCUMENT)}


@cache
def known_in(path: str) -> frozenset[str]:
    """Return the names of the tests of a file; none when there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_requirement_is_listed_once_and_no_other() -> None:
    assert [id_ for id_, _, _ in ROW.findall(DOCUMENT)] == IDS


@pytest.mark.parametrize("requirement", IDS)
def test_a_requirement_is_shown_by_tests_that_exist(requirement: str) -> None:
    promise, shown = rows()[requirement]
    assert 20 < len(promise) < 250
    named = NAMED.findall(shown)
    assert named, f"{requirement} has no test"
    assert NAMED.sub("", shown).strip() == "", "there is something beside the tests"
    assert [f"{path}::{name}" for path, name in named if name not in known_in(path)] == []


def test_every_file_that_is_named_anywhere_exists() -> None:
    for named in ANY_NAMED.findall(DOCUMENT):
        path, _, name = named.partition("::")
        assert (ROOT / path).is_file(), named
        assert not name or name in known_in(path), named


def test_what_is_later_or_not_offered_says_so() -> None:
    said = {mark: {id_ for id_, (promise, _) in rows().items() if mark in promise} for mark in ("*later*", "*not off")}
    assert said == {"*later*": LATER | PARTLY_LATER, "*not off": NOT_OFFERED}


def test_a_test_that_is_not_there_would_be_noticed() -> None:
    assert "test_a_requirement_is_shown_by_tests_that_exist" in known_in("tests/project/test_security_doc.py")
    assert "test_no_such_thing" not in known_in("tests/project/test_security_doc.py")
    assert known_in("tests/project/test_no_such_file.py") == frozenset()
