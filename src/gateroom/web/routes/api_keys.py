"""API keys, for administrators of back ends."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from gateroom.auth.ports import ApiKey
from gateroom.auth.principal import Principal, Scope
from gateroom.errors import InvalidCommand
from gateroom.protocol.events import rfc3339
from gateroom.web.audit import trail_of
from gateroom.web.deps import CurrentRuntime, require_scope
from gateroom.web.operator_schemas import CreatedKey, KeyPage, KeyView, NewKey
from gateroom.web.paging import Page
from gateroom.web.routes import CHANGING, UNAUTHENTICATED, operation_id, problems
from gateroom.web.schemas import Listing
from gateroom.web.strict import StrictRoute

router = APIRouter(prefix="/api/keys", tags=["keys"], route_class=StrictRoute, generate_unique_id_function=operation_id)

KeyAdmin = Annotated[Principal, Depends(require_scope(Scope.KEYS_ADMIN))]
KeyId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The key's id.", examples=["2vbx4xhxk5nqsfvgnvcnsa6ice"])
]


@router.post(
    "", status_code=201, summary="Make an API key", responses=problems(*CHANGING, "forbidden", "limit_reached")
)
async def create(
    request: Request, body: NewKey, response: Response, admin: KeyAdmin, runtime: CurrentRuntime
) -> CreatedKey:
    """Make a key that acts as you, with some of your scopes; it is shown this once. A key cannot make another."""
    if body.expires is not None and body.expires <= runtime.live.now():
        raise InvalidCommand("expires_at: lies in the past.")
    key, text = await runtime.api_keys.create(admin, body.name, frozenset(body.scopes), body.expires)
    trail_of(request).target = f"key:{key.id}"
    response.headers["Cache-Control"] = "no-store"
    return CreatedKey(**_view(key).model_dump(), key=text)


@router.get(
    "",
    summary="List API keys",
    response_model=KeyPage,
    responses=problems(*UNAUTHENTICATED, "forbidden", "invalid_command"),
)
async def listing(page: Page, _: KeyAdmin, runtime: CurrentRuntime) -> Listing[KeyView]:
    """List everybody's keys by id; when one was last used may lag some minutes behind."""
    rows = await runtime.api_keys.page(page.after, page.rows)
    return page.listing(rows, lambda key: key.id, _view)


@router.delete(
    "/{key}",
    status_code=204,
    summary="Revoke an API key",
    responses=problems(*UNAUTHENTICATED, "invalid_csrf", "forbidden", "not_found", "invalid_command"),
)
async def revoke(key: KeyId, _: KeyAdmin, runtime: CurrentRuntime) -> None:
    """Have a key believed no more; sockets that it opened end with `token_revoked`."""
    await runtime.api_keys.revoke(key)


def _view(key: ApiKey) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        user=key.user_id,
        scopes=sorted(key.scopes),
        created_at=rfc3339(key.created_at),
        expires_at=None if key.expires_at is None else rfc3339(key.expires_at),
        last_used_at=None if key.used_at is None else rfc3339(key.used_at),
    )
