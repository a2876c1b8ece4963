"""Rooms that nobody has to make: patterns of their names, and what such rooms are like."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateroom.names import TEMPLATE_USER
from gateroom.rooms.model import Visibility

_ANYTHING = "[a-z0-9._:-]+"


@dataclass(frozen=True, slots=True)
class Template:
    """What rooms whose id fits `pattern` are like.

    In it `*` stands for one or more characters, and `{user}` for the id of the caller, who owns the room then.
    """

    pattern: str
    kind: str = "default"
    visibility: Visibility = Visibility.PRIVATE

    @property
    def personal(self) -> bool:
        return TEMPLATE_USER in self.pattern


class Templates:
    """The configured templates; of several that fit a room the first one counts."""

    def __init__(self, templates: Sequence[Template] = ()) -> None:
        self._templates = [(template, re.compile(_expression(template, _ANYTHING))) for template in templates]

    def match(self, room_id: str, user_id: str) -> Template | None:
        """Return the template by which the room comes into being when this user comes."""
        for template, shape in self._templates:
            if shape.fullmatch(room_id) and (not template.personal or _is_theirs(template, room_id, user_id)):
                return template
        return None

    def reserve(self, room_id: str) -> bool:
        """Say whether the id belongs to a template, so that nobody takes what another one would walk into."""
        return any(shape.fullmatch(room_id) for _, shape in self._templates)


def _is_theirs(template: Template, room_id: str, user_id: str) -> bool:
    return re.fullmatch(_expression(template, re.escape(user_id)), room_id) is not None


def _expression(template: Template, user: str) -> str:
    return re.escape(template.pattern).replace(r"\*", _ANYTHING).replace(re.escape(TEMPLATE_USER), user)
