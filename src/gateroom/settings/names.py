"""The names of all settings, and which of them a misspelt one was meant to be."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import get_args, get_origin

from pydantic import BaseModel

from gateroom.settings.model import Settings

Path = tuple[str, ...]

ANY_KIND = "<kind>"  # stands in a path for the name of a room kind


def paths(model: type[BaseModel] = Settings) -> Iterator[Path]:
    """Yield the path of every setting below `model`."""
    for name, field in model.model_fields.items():
        annotation, path = field.annotation, [name]
        if get_origin(annotation) is Mapping:
            annotation = get_args(annotation)[1]
            path.append(ANY_KIND)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from ((*path, *rest) for rest in paths(annotation))
        else:
            yield tuple(path)


def meant_by(path: Path) -> Path | None:
    """Return the name closest to an unknown `path`, among its neighbours first, then anywhere; None if none is near."""
    known = list(paths())
    if inside := [each for each in known if each[: len(path)] == path]:
        return inside[0]
    beside = {each[len(path) - 1] for each in known if len(each) >= len(path) and _below(each, path[:-1])}
    if near := get_close_matches(path[-1], sorted(beside), n=1):
        return (*path[:-1], near[0])
    if same := [each for each in known if each[-1] == path[-1]]:
        return same[0]
    by_text = {".".join(each): each for each in known}
    near = get_close_matches(".".join(path), by_text, n=1, cutoff=0.75)
    return by_text[near[0]] if near else None


def _below(path: Path, parent: Path) -> bool:
    return all(ours in (theirs, ANY_KIND) for ours, theirs in zip(path, parent, strict=False))
