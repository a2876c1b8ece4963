"""The house rules that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from support.tree import ROOT, SOURCE, modules, project_files

MAX_LINES = 350

# In brackets, so that the patterns do not find themselves.
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|NotImplemente[d]Error)\b")
MACHINE_PATH = re.compile(r"(?<![\w.-])/(wor[k]|roo[t]|hom[e]/\w+|tm[p]/v|op[t]/wheels)/|\.pyen[v]\b")
REGISTRY = re.compile(r"pyp[i]\.org|pythonhoste[d]\.org|registr[y]\.npmjs|--(extra-)?inde[x]-url|--find-link[s]\b")


def shown(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [shown(path, number) for path, number, line in text_lines(paths) if pattern.search(line)]


def text_lines(paths: list[Path]) -> Iterator[tuple[Path, int, str]]:
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or another binary file
        for number, line in enumerate(text.splitlines(), 1):
            yield path, number, line


def parsed(paths: list[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for path in paths:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_module_says_what_it_owns() -> None:
    silent = [str(path.relative_to(ROOT)) for path, tree in parsed(modules(SOURCE)) if not ast.get_docstring(tree)]
    assert silent == []


def test_no_module_is_too_long_to_read_in_one_pass() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in modules(SOURCE)}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_nothing_is_left_unfinished() -> None:
    assert lines_with(UNFINISHED, project_files()) == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert lines_with(MACHINE_PATH, project_files()) == []


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(REGISTRY, project_files()) == []


def test_every_pinned_requirement_has_a_hash() -> None:
    for pins in sorted((ROOT / "requirements").glob("*.txt")):
        entries = pins.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
        assert entries, pins.name
        for entry in entries:
            assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+", entry), entry[:80]


def test_every_skip_says_why() -> None:
    mute = [
        shown(path, node.lineno)
        for path, tree in parsed(modules(ROOT / "tests"))
        for node in skips_without_reason(tree)
    ]
    assert mute == []


def skips_without_reason(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield each use of pytest's skip, skipif and xfail that gives no reason."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := skip_name(node.func)):
            # `skip` and `xfail` as functions take the reason first; `skipif` takes a condition there.
            first = bool(node.args) and name != "skipif" and not is_mark(node.func)
            if not first and not any(keyword.arg == "reason" for keyword in node.keywords):
                yield node
        elif isinstance(node, ast.Attribute) and id(node) not in called and is_mark(node) and skip_name(node):
            yield node


def skip_name(function: ast.expr) -> str | None:
    known = ("skip", "skipif", "xfail")
    return function.attr if isinstance(function, ast.Attribute) and function.attr in known else None


def is_mark(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and ast.unparse(function.value).endswith("mark")


def test_a_skip_without_a_reason_is_found() -> None:
    program = """
@pytest.mark.skip
def one(): ...
@pytest.mark.skipif(True)
def two(): ...
@pytest.mark.skipif(True, reason="because")
def three():
    pytest.skip()
    pytest.skip("because")
"""
    assert [node.lineno for node in skips_without_reason(ast.parse(program))] == [2, 4, 8]


def test_nothing_inside_imports_the_public_surface() -> None:
    importers = [
        shown(path, node.lineno)
        for path, tree in parsed(modules(SOURCE))
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and imports_package_itself(node)
        and path.relative_to(SOURCE).parts[0] not in ("__main__.py", "cli")
    ]
    assert importers == []


def imports_package_itself(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "gateroom"
    return isinstance(statement, ast.Import) and any(alias.name == "gateroom" for alias in statement.names)
