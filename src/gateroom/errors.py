"""Every way Gateroom says no: one tree of errors, each with the stable code that clients see.

`code` is API, the sentence is not. `status` is the HTTP status of a problem response. A `Refusal` can also
end a socket: before accept it is `handshake_status`, afterwards `close_code` (RFC 6455 section 7.4.1).
"""

from collections.abc import Iterable
from typing import ClassVar


class GateroomError(Exception):
    """Base of all errors that a client may see; carries no user input."""

    code: ClassVar[str]
    status: ClassVar[int]
    sentence: ClassVar[str]
    retry_after: int | None = None  # seconds

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None) -> None:
        """Say `detail` instead of the class's sentence; it must never contain what the client sent."""
        self.detail = detail or self.sentence
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(self.detail)

    def document(self, status: int) -> dict[str, str | int]:
        """Return the problem document (RFC 9457) for an answer with this HTTP status."""
        return {
            "type": f"urn:gateroom:problem:{self.code}",
            "title": self.sentence,
            "status": status,
            "detail": self.detail,
            "code": self.code,
        }


class Refusal(GateroomError):
    """An error that can also refuse a handshake or end a live socket."""

    handshake_status: ClassVar[int] = 403
    close_code: ClassVar[int] = 1008
    # Whether a browser may be told by accept-and-close: true for what fails at the credentials or later.
    tellable: ClassVar[bool] = True


# Who is calling


class MissingToken(Refusal):
    code, status, sentence = "missing_token", 401, "No credential was given."


class InvalidToken(Refusal):
    code, status, sentence = "invalid_token", 401, "The token is not valid."


class TokenExpired(Refusal):
    code, status, sentence = "token_expired", 401, "The token has expired."


class TokenRevoked(Refusal):
    code, status, sentence = "token_revoked", 401, "The token was revoked."


class InvalidTicket(Refusal):
    code, status, sentence = "invalid_ticket", 401, "The ticket is not valid, or was used."


class AmbiguousCredentials(Refusal):
    code, status, sentence = "ambiguous_credentials", 401, "More than one credential was given."


class SessionRevoked(Refusal):
    code, status, sentence = "session_revoked", 401, "The session has ended; log in again."


class UserDisabled(Refusal):
    code, status, sentence = "user_disabled", 401, "The account is disabled or gone."


class InvalidCredentials(GateroomError):
    """Carries the id of the account, if there is one, for the audit log alone."""

    account: str | None = None
    code, status, sentence = "invalid_credentials", 401, "The username or the password is wrong."


class InvalidCsrf(GateroomError):
    code, status, sentence = "invalid_csrf", 403, "A cookie needs the X-CSRF-Token header and a same-origin request."


# What they may do


class OriginNotAllowed(Refusal):
    code, status, sentence = "origin_not_allowed", 403, "This Origin may not connect."
    tellable = False


class Forbidden(Refusal):
    code, status, sentence = "forbidden", 403, "This is not allowed."


class InsufficientScope(Forbidden):
    """The token lacks one of `scopes`, which RFC 6750 section 3.1 has named in the answer."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = frozenset(scopes)
        super().__init__()


class Banned(Refusal):
    code, status, sentence = "banned", 403, "You are banned from this room."


class Muted(GateroomError):
    code, status, sentence = "muted", 403, "You are muted in this room."


class RoomFull(Refusal):
    code, status, sentence = "room_full", 409, "The room is full."


class RegistrationClosed(GateroomError):
    code, status, sentence = "registration_closed", 403, "Registration is closed."


class NotFound(GateroomError):
    code, status, sentence = "not_found", 404, "There is no such thing, or you may not see it."


class Kicked(Refusal):
    code, status, sentence = "kicked", 403, "You were removed from the room."


class Disconnected(Refusal):
    code, status, sentence = "disconnected", 403, "The connection was ended by an administrator."


class RoomClosed(Refusal):
    code, status, sentence = "room_closed", 403, "The room was closed."


# How they said it


class InvalidCommand(GateroomError):
    code, status, sentence = "invalid_command", 422, "The request is not understood."


class InvalidScope(InvalidCommand):
    """More was asked for than was granted (RFC 6749 section 6)."""

    sentence = "This is more than the session was granted."


class MalformedRequest(InvalidCommand):
    """The body is not even JSON (RFC 9110 section 15.5.1)."""

    status, sentence = 400, "The body is not valid JSON."


class MethodNotAllowed(GateroomError):
    code, status, sentence = "method_not_allowed", 405, "This method does not exist here."


class UnsupportedMediaType(GateroomError):
    code, status, sentence = "unsupported_media_type", 415, "Send the body as application/json."


class NotJoined(GateroomError):
    code, status, sentence = "not_joined", 409, "Join the room first."


class Conflict(GateroomError):
    code, status, sentence = "conflict", 409, "It exists already, or has changed meanwhile."


class LimitReached(GateroomError):
    code, status, sentence = "limit_reached", 409, "A limit on how many you may have is reached."


class TooLarge(GateroomError):
    code, status, sentence = "too_large", 413, "This is too large."


class ProtocolViolation(Refusal):
    code, status, sentence = "protocol_violation", 400, "The peer does not speak the protocol."
    handshake_status = 400
    tellable = False


# How much they may have


class RateLimited(Refusal):
    code, status, sentence = "rate_limited", 429, "Too much at once; slow down."
    handshake_status, retry_after = 429, 1
    tellable = False


class ConnectionLimit(Refusal):
    code, status, sentence = "connection_limit", 429, "Too many connections."
    handshake_status, retry_after = 429, 5
    tellable = False


class SlowConsumer(Refusal):
    code, status, sentence = "slow_consumer", 403, "The peer reads too slowly."


# What we cannot do at the moment


class Unavailable(GateroomError):
    code, status, sentence = "unavailable", 503, "This cannot be done at the moment; try again."
    retry_after = 1


class Restarting(Refusal):
    code, status, sentence = "restarting", 503, "The server is restarting; reconnect after a random delay."
    handshake_status, close_code, retry_after = 503, 1012, 1
    tellable = False


class Overloaded(Refusal):
    code, status, sentence = "overloaded", 503, "The server has too much to do; try again later."
    handshake_status, close_code, retry_after = 503, 1013, 2
    tellable = False


class PingTimeout(Refusal):
    code, status, sentence = "ping_timeout", 408, "The peer stopped answering pings."
    close_code = 1011


class InternalError(Refusal):
    """A fault of ours; the error id is in the log too."""

    code, status, sentence = "internal_error", 500, "Something went wrong on our side."
    handshake_status, close_code = 500, 1011
    tellable = False


def _tree(cls: type[GateroomError]) -> list[type[GateroomError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _tree(sub))]


BY_CODE: dict[str, type[GateroomError]] = {}
for _error in _tree(GateroomError):
    if hasattr(_error, "code"):
        BY_CODE.setdefault(_error.code, _error)
