"""The OpenAPI page: Swagger UI as the package `fastapi-offline` has it, since our pages load nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateroom.web.pages import EntityTags, Pages

_OURS = Path(__file__).parent.parent / "static" / "docs"
_THEIRS = Path(str(files("fastapi_offline"))) / "static"

# Swagger UI sets style attributes and draws its icons from data: URLs.
_pages = Pages(
    [*_OURS.iterdir(), _THEIRS / "swagger-ui-bundle.js", _THEIRS / "swagger-ui.css"],
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
)

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
def document(request: Request) -> JSONResponse:
    """Serve the OpenAPI document."""
    app: FastAPI = request.app
    return JSONResponse(app.openapi())


@router.get("/docs")
def page(entity_tags: EntityTags = None) -> Response:
    """Serve the OpenAPI page."""
    return _pages.page(entity_tags)


@router.get("/docs/{name}")
def part(name: str, entity_tags: EntityTags = None) -> Response:
    """Serve a part of it. Raises `NotFound` for a name that is none."""
    return _pages.part(name, entity_tags)
