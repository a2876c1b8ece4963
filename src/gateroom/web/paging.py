"""Lists in pages: a limit, a cursor, and `{"items", "next"}`."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from gateroom.errors import InvalidCommand
from gateroom.web.schemas import Listing

Row = TypeVar("Row")
View = TypeVar("View")


class Paging:
    """What a caller asked for; `after` is the key of the last row it has seen."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200, description="How many at the most.")] = 50,
        cursor: Annotated[
            str | None,
            Query(
                max_length=400,
                description="`next` of the page before.",
                json_schema_extra={"pattern": "^[A-Za-z0-9_-]*={0,2}$"},
            ),
        ] = None,
    ) -> None:
        self.limit = limit
        self.after = _opened(cursor) if cursor else None

    @property
    def rows(self) -> int:
        """How many rows to read: one more than shown, to know whether there is a next page."""
        return self.limit + 1

    def listing(self, rows: Sequence[Row], key: Callable[[Row], str], view: Callable[[Row], View]) -> Listing[View]:
        shown = rows[: self.limit]
        following = _sealed(key(shown[-1])) if len(rows) > self.limit else None
        return Listing(items=[view(row) for row in shown], next=following)


Page = Annotated[Paging, Depends()]


def _sealed(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode()


def _opened(cursor: str) -> str:
    try:
        key = urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        key = ""
    if _sealed(key) != cursor:  # the decoder skips what is not of its alphabet
        raise InvalidCommand("cursor: is not one that a page gave.")
    return key
