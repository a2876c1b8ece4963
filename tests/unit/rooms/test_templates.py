"""Which rooms come into being by themselves, and for whom."""

import pytest

from gateroom.rooms.templates import Template, Templates

DESK, ORDER, PAIR = Template("desk:{user}"), Template("order:*"), Template("pair:{user}.with.*")
TEMPLATES = Templates([DESK, ORDER, PAIR, Template("order:special.*", kind="special")])


@pytest.mark.parametrize(
    ("room_id", "user_id", "template"),
    [
        ("order:17", "ada", ORDER),
        ("order:17:b.c-d_e", "ada", ORDER),
        ("order:special.1", "ada", ORDER),  # the first one counts
        ("order:", "ada", None),
        ("order", "ada", None),
        ("border:17", "ada", None),
        ("order:17/x", "ada", None),
        ("orderx17", "ada", None),
        ("desk:ada", "ada", DESK),
        ("desk:ada", "ad", None),
        ("desk:ada2", "ada", None),
        ("desk:bob", "ada", None),
        ("desk:", "", None),
        ("desk:a.a", "a.a", DESK),
        ("desk:aXa", "a.a", None),
        ("pair:ada.with.bob", "ada", PAIR),
        ("pair:ada.with.bob", "bob", None),
        ("pair:x.with.ada.with.bob", "ada", None),
    ],
)
def test_an_id_is_of_a_template_only_whole_and_for_the_right_caller(
    room_id: str, user_id: str, template: Template | None
) -> None:
    assert TEMPLATES.match(room_id, user_id) is template


@pytest.mark.parametrize(
    ("room_id", "reserved"), [("order:17", True), ("desk:ada", True), ("desk:", False), ("lobby", False)]
)
def test_ids_of_templates_are_reserved_whoever_they_are_for(room_id: str, reserved: bool) -> None:
    assert TEMPLATES.reserve(room_id) is reserved
