"""What a client sends is never made part of a statement, nor believed for being in the Host (RA-5, HS-7)."""

import ast
from collections.abc import Iterator
from pathlib import Path

from support.tree import SOURCE, modules

# What takes SQL as text.
AS_TEXT = {"text", "exec_driver_sql", "literal_column", "executescript", "executemany"}
# Starlette makes these of the Host header (CVE-2026-48710).
BY_HOST = {"url", "base_url", "url_for", "url_path_for"}


def parsed(folder: Path) -> Iterator[tuple[Path, ast.AST]]:
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def called(node: ast.AST) -> str:
    """Return the last part of what is called, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def put_together(node: ast.AST) -> bool:
    """Tell whether a call is given text as SQL that is more than a constant."""
    assert isinstance(node, ast.Call)
    if not node.args or isinstance(node.args[0], ast.Constant):
        return False
    if called(node) in AS_TEXT:
        return not _is_pragma(node.args[0])
    return isinstance(node.args[0], ast.JoinedStr | ast.BinOp) and not _is_pragma(node.args[0])


def _is_pragma(argument: ast.expr) -> bool:
    """A pragma takes no parameters; its values are numbers and words of our own."""
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
    return isinstance(first, ast.Constant) and str(first.value).startswith("PRAGMA ")


def test_sql_is_never_put_together_from_text() -> None:
    takes_sql = AS_TEXT | {"execute"}
    calls = [(path, node) for path, node in parsed(SOURCE / "storage") if called(node) in takes_sql]
    assert len(calls) > 20
    assert [f"{path.name}: {ast.unparse(node)}" for path, node in calls if put_together(node)] == []


def test_what_is_put_together_would_be_found() -> None:
    for bad in ('text(f"SELECT {x}")', 'c.execute("SELECT " + x)', "c.exec_driver_sql(x)", 'c.execute(f"DROP {x}")'):
        assert put_together(ast.parse(bad, mode="eval").body), bad
    for good in ("c.execute(select(x))", 'text("SELECT 1")', 'c.exec_driver_sql(f"PRAGMA busy_timeout = {1}")'):
        assert not put_together(ast.parse(good, mode="eval").body), good


def test_nothing_is_decided_by_the_url_of_a_request() -> None:
    """Whatever is asked of a request is its path, its headers and its peer."""
    asked = [
        f"{path.name}: {ast.unparse(node)}"
        for folder in ("web", "realtime", "auth", "rooms")
        for path, node in parsed(SOURCE / folder)
        if isinstance(node, ast.Attribute)
        and node.attr in BY_HOST
        and isinstance(node.value, ast.Name)
        and node.value.id in {"request", "websocket", "connection"}
    ]
    assert asked == []
