"""How streams are named inside: one topic per room, one per user's inbox, one for everybody."""

EVERYONE = "all"


def room_topic(room_id: str) -> str:
    return f"room:{room_id}"


def user_topic(user_id: str) -> str:
    return f"user:{user_id}"


def user_of(topic: str) -> str:
    """Return the user id of an inbox; "" for another topic."""
    return topic[5:] if topic.startswith("user:") else ""


def room_of(topic: str) -> str:
    """Return the room id of a room topic; "" for another topic."""
    return topic[5:] if topic.startswith("room:") else ""
