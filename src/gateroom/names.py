"""Names that every surface knows: of rooms and users (`\\Z`, since `$` would let a line feed follow), of headers."""

SUBPROTOCOL = "gateroom.v1"  # the only one, also its name in Sec-WebSocket-Protocol

ROOM_ID_PATTERN = r"^[a-z0-9][a-z0-9._:-]{0,99}\Z"
USERNAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{1,63}\Z"
USER_REFERENCE_PATTERN = r"^(@[a-z0-9][a-z0-9._-]{1,63}|[A-Za-z0-9_-]{1,64})\Z"  # an id, or @username

# What every response tells browsers not to do with it (security.md HC-1); pages have a policy of their own.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# A year (RFC 6797 section 6.1): only over TLS, and to be said by every response there.
STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")

TEMPLATE_USER = "{user}"  # in a pattern of room ids: the caller's id
# Patterns of room ids begin with a letter or digit, and have at least one place that is left open.
TEMPLATE_PATTERN = r"^[a-z0-9](?=.*(\*|\{user\}))([a-z0-9._:-]|\*|\{user\}){1,99}\Z"
