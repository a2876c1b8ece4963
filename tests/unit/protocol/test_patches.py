"""Shared documents and their patches: as RFC 6902 has it, whole or not at all, and at a bounded cost."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateroom.errors import Conflict, GateroomError, InvalidCommand, TooLarge
from gateroom.protocol.codec import MAX_DEPTH
from gateroom.protocol.patches import MAX_OPERATIONS, Change, State, changed, parse, written

Json = Any


def patched(document: Json, *operations: Json, version: int | None = None, max_bytes: int = 65536) -> Json:
    """Return what the operations make of the document, or the error."""
    state = State(7, json.dumps(document).encode())
    outcome = changed(state, Change(parse(json.dumps(operations).encode()), version, max_bytes))
    if isinstance(outcome, GateroomError):
        return type(outcome)
    assert outcome.version == 8
    return json.loads(outcome.text)


def step(op: str, path: str, **members: Json) -> Json:
    return {"op": op, "path": path, **members}


# RFC 6902 appendix A, and what its sections 4.1 to 4.6 say besides.
@pytest.mark.parametrize(
    ("before", "operations", "after"),
    [
        ({"foo": "bar"}, [step("add", "/baz", value="qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [step("add", "/foo/1", value="qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [step("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [step("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [step("replace", "/baz", value="boo")], {"baz": "boo", "foo": "bar"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [step("move", "/qux/thud", **{"from": "/foo/waldo"})],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [step("move", "/foo/3", **{"from": "/foo/1"})],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        (
            {"baz": "qux", "foo": ["a", 2, "c"]},
            [step("test", "/baz", value="qux"), step("test", "/foo/1", value=2)],
            {"baz": "qux", "foo": ["a", 2, "c"]},
        ),
        ({"baz": "qux"}, [step("test", "/baz", value="bar")], Conflict),
        ({"foo": 1}, [step("add", "/child", value={"grandchild": {}})], {"foo": 1, "child": {"grandchild": {}}}),
        ({"foo": "bar"}, [step("add", "/baz", value="qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
        ({"foo": "bar"}, [step("add", "/baz/bat", value="qux")], Conflict),
        ({"/": 9, "~1": 10}, [step("test", "/~01", value=10)], {"/": 9, "~1": 10}),
        ({"/": 9, "~1": 10}, [step("test", "/~01", value="10")], Conflict),
        ({"foo": ["bar"]}, [step("add", "/foo/-", value=["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
        ({"foo": 1}, [step("add", "/foo", value=2)], {"foo": 2}),
        ({"foo": 1}, [step("add", "", value=[])], []),
        ({"foo": 1}, [step("replace", "", value=None)], None),
        ({"foo": None}, [step("test", "/foo", value=None)], {"foo": None}),
        ([1], [step("add", "/1", value=2)], [1, 2]),
        ([1], [step("add", "/2", value=2)], Conflict),
        ([1], [step("add", "/01", value=2)], Conflict),
        ([1], [step("add", "/-1", value=2)], Conflict),
        ([1], [step("add", "/1e0", value=2)], Conflict),
        ([1], [step("replace", "/-", value=2)], Conflict),
        ([1], [step("remove", "/1")], Conflict),
        ([1], [step("copy", "/-", **{"from": "/-"})], Conflict),
        ([1], [step("test", "/-", value=1)], Conflict),
        ({}, [step("replace", "/foo", value=1)], Conflict),
        ({}, [step("move", "/bar", **{"from": "/foo"})], Conflict),
        ({}, [step("copy", "/bar", **{"from": "/foo"})], Conflict),
        ({"a": {"b": 1}}, [step("copy", "/c", **{"from": "/a"}), step("remove", "/a/b")], {"a": {}, "c": {"b": 1}}),
        ({"a": 1}, [step("move", "/a", **{"from": "/a"})], {"a": 1}),
        ({"a": 1}, [step("copy", "/a", **{"from": ""})], {"a": {"a": 1}}),
        ({"a": 1, "aa": 2}, [step("move", "/aa", **{"from": "/a"})], {"aa": 1}),
        ({"": {"": 1}}, [step("test", "//", value=1)], {"": {"": 1}}),
        ("text", [step("add", "/0", value="x")], Conflict),
        (1, [step("test", "/a", value=1)], Conflict),
        ({"a": 1}, [], {"a": 1}),
        # Section 4.6: numbers by their value, nothing else by what Python thinks of it.
        ({"a": 1}, [step("test", "/a", value=1.0)], {"a": 1}),
        ({"a": 1}, [step("test", "/a", value=True)], Conflict),
        ({"a": [0]}, [step("test", "/a", value=[False])], Conflict),
        ({"a": {"b": 1, "c": 2}}, [step("test", "/a", value={"c": 2, "b": 1})], {"a": {"b": 1, "c": 2}}),
    ],
)  # fmt: skip
def test_a_patch_does_what_the_rfc_says(before: Json, operations: list[Json], after: Json) -> None:
    assert patched(before, *operations) == after


@pytest.mark.parametrize(
    "patch",
    [
        b"", b"null", b"{}", b'"[]"', b"[1]", b"[[]]", b"[{}]", b"[null]", b'{"op":"add"}',
        b'[{"op":"add","path":"/a"}]', b'[{"op":"replace","path":"/a"}]', b'[{"op":"test","path":"/a"}]',
        b'[{"op":"spam","path":"/a"}]', b'[{"op":"append","path":"/a","value":"x"}]', b'[{"path":"/a","value":1}]',
        b'[{"op":"ADD","path":"/a","value":1}]', b'[{"op":["add"],"path":"/a","value":1}]',
        b'[{"op":"add","path":"a","value":1}]', b'[{"op":"add","path":" /a","value":1}]',
        b'[{"op":"add","path":"/~","value":1}]', b'[{"op":"add","path":"/~2","value":1}]',
        b'[{"op":"add","path":["a"],"value":1}]', b'[{"op":"add","path":null,"value":1}]',
        b'[{"op":"move","path":"/a"}]', b'[{"op":"copy","path":"/a","from":7}]',
        b'[{"op":"copy","path":"/a","from":"b"}]',
        b'[{"op":"remove","path":""}]', b'[{"op":"move","path":"/a/b","from":"/a"}]',
        b'[{"op":"move","path":"/a","from":""}]',
        b'[{"op":"add","path":"/a","value":NaN}]', b'[{"op":"add","path":"/a","value":1e999}]',
        b'[{"op":"add","path":"/a","value":"\\ud800"}]', b'[{"op":"add","path":"/a","value":' + b"9" * 400 + b"}]",
        b'[{"op":"add","path":"/a","value":' + b"[" * 70 + b"]" * 70 + b"}]",
        b'[{"op":"add","path":"/a","value":' + b"[" * 100_000,
        b"[" + b",".join([b'{"op":"test","path":"","value":{}}'] * (MAX_OPERATIONS + 1)) + b"]",
    ],
    ids=lambda patch: patch[:60].decode(),
)  # fmt: skip
def test_what_is_no_patch_is_refused_without_a_word_of_it(patch: bytes) -> None:
    with pytest.raises(InvalidCommand) as refused:
        parse(patch)
    assert "spam" not in refused.value.detail


def test_who_gets_the_patch_reads_what_was_applied_whatever_parser_they_have() -> None:
    twice = b'[{"op":"remove","op":"add","path":"/b","path":"/a","value":{"x":1,"x":2},"more":[1]}, {"op":"remove","path":"/z"}]'  # fmt: skip # noqa: E501
    assert json.loads(written(parse(twice))) == [
        {"op": "add", "path": "/a", "value": {"x": 2}},
        {"op": "remove", "path": "/z"},
    ]


def test_a_null_is_a_value() -> None:
    assert json.loads(written(parse(b'[{"op":"add","path":"/a","value":null}]')))[0]["value"] is None


def test_all_operations_count_or_none() -> None:
    state = State(3, b'{"a":1,"list":[1,2]}')
    operations = [step("remove", "/a"), step("add", "/list/0", value=0), step("test", "/b", value=1)]
    assert isinstance(changed(state, Change(parse(json.dumps(operations).encode()))), Conflict)
    assert state == State(3, b'{"a":1,"list":[1,2]}')


def test_a_patch_against_another_version_changes_nothing() -> None:
    assert patched({}, step("add", "/a", value=1), version=7) == {"a": 1}
    for stale in (0, 6, 8):
        assert patched({}, step("add", "/a", value=1), version=stale) is Conflict


def test_a_state_that_would_be_too_large_is_refused_to_the_byte() -> None:
    assert patched({}, step("add", "/a", value="x" * 10), max_bytes=18) == {"a": "x" * 10}
    assert patched({}, step("add", "/a", value="x" * 11), max_bytes=18) is TooLarge
    assert patched({"a": "x" * 100}, step("remove", "/a"), max_bytes=18) == {}


def test_no_limit_is_still_one() -> None:
    assert patched({}, step("add", "/a", value="x" * 100_000), max_bytes=0) == {"a": "x" * 100_000}


def test_a_state_is_never_nested_deeper_than_a_message() -> None:
    deep: Json = 1
    for _ in range(MAX_DEPTH - 2):  # the patch has two levels around it
        deep = [deep]
    assert patched({"x": {}}, step("add", "/x/a", value=deep)) == {"x": {"a": deep}}
    assert patched({"x": {"y": {}}}, step("add", "/x/y/a", value=deep)) is InvalidCommand
    assert patched({"a": deep, "x": {"y": {}}}, step("move", "/x/y/a", **{"from": "/a"})) is InvalidCommand


DOUBLING = [step("add", "/a", value=["x" * 100]), *[step("copy", "/a/-", **{"from": "/a"})] * (MAX_OPERATIONS - 1)]
COPYING_ALL = [step("copy", "", **{"from": ""})] * MAX_OPERATIONS
NESTING = [step("copy", "/0" * (2**n), **{"from": ""}) for n in range(16)]
SHIFTING = [step("move", "/0", **{"from": "/9999"})] * MAX_OPERATIONS
TESTING = [step("test", "/9999", value=0)] * MAX_OPERATIONS
ROOMY = list(range(10_000))


@pytest.mark.parametrize(
    ("document", "operations", "outcome"),
    [
        ({}, DOUBLING, TooLarge),
        (ROOMY, COPYING_ALL, TooLarge),
        ([0], NESTING, InvalidCommand),
        (ROOMY, SHIFTING, list),
        (ROOMY, [*TESTING[:-1], step("test", "", value=[])], Conflict),
    ],
    ids=["a copy of what was just copied", "the whole document again and again", "depth", "long arrays", "tests"],
)
def test_an_evil_patch_costs_no_more_than_a_large_one(document: Json, operations: list[Json], outcome: type) -> None:
    began = time.process_time()
    made = patched(document, *operations)
    spent = time.process_time() - began
    assert made is outcome or (outcome is list and isinstance(made, list))
    assert spent < 0.25


def test_while_it_is_applied_a_document_does_not_grow_beyond_what_it_may_copy() -> None:
    """Each copy is removed again, so that the document is small in the end, and never was large."""
    blocks = [step("copy", "/b", **{"from": "/a"}), step("remove", "/b")] * 60
    assert patched({"a": "x" * 50_000}, *blocks) is TooLarge
    assert patched({"a": "x" * 500}, *blocks) == {"a": "x" * 500}


_keys = st.sampled_from(["a", "b", "", "0", "1", "-", "~", "/", "01", "é"])
_documents = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(-1e9, 1e9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_pointers = st.lists(_keys.map(lambda key: key.replace("~", "~0").replace("/", "~1")), max_size=4).map(
    lambda tokens: "".join(f"/{token}" for token in tokens)
)
_operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": _pointers},
    optional={"from": _pointers, "value": _documents},
)


@settings(max_examples=200, deadline=None)
@given(_documents, st.lists(_operations, max_size=6))
def test_whatever_is_asked_for_is_done_or_refused_and_nobody_errs(document: Json, operations: list[Json]) -> None:
    try:
        outcome = patched(document, *operations)
    except InvalidCommand:
        return
    if isinstance(outcome, type):
        assert issubclass(outcome, Conflict | TooLarge | InvalidCommand), outcome
