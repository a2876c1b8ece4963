"""Names of streams."""

from gateroom.realtime.topics import EVERYONE, room_of, room_topic, user_topic


def test_a_room_is_found_again_from_its_topic() -> None:
    assert room_of(room_topic("order:42")) == "order:42"


def test_no_other_topic_is_a_rooms() -> None:
    assert room_of(EVERYONE) == room_of(user_topic("u-ada")) == room_of(user_topic("room:desk")) == ""
