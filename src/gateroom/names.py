"""How rooms and users may be called, on every surface alike. `\\Z`, since `$` would let a line feed follow."""

SUBPROTOCOL = "gateroom.v1"  # the only one, also its name in Sec-WebSocket-Protocol

ROOM_ID_PATTERN = r"^[a-z0-9][a-z0-9._:-]{0,99}\Z"
USERNAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{1,63}\Z"
USER_REFERENCE_PATTERN = r"^(@[a-z0-9][a-z0-9._-]{1,63}|[A-Za-z0-9_-]{1,64})\Z"  # an id, or @username
