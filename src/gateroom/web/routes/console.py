"""The web console: one static page and what it loads."""

from pathlib import Path

from fastapi import APIRouter, Response

from gateroom.web.pages import EntityTags, Pages

_pages = Pages((Path(__file__).parent.parent / "static" / "console").iterdir())

router = APIRouter(include_in_schema=False)


@router.get("/console")
def page(entity_tags: EntityTags = None) -> Response:
    """Serve the console's page."""
    return _pages.page(entity_tags)


@router.get("/console/{name}")
def part(name: str, entity_tags: EntityTags = None) -> Response:
    """Serve a part of it. Raises `NotFound` for a name that is none."""
    return _pages.part(name, entity_tags)
