"""What all bodies of the HTTP API have in common: they are strict, and never repeat what was sent."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Base of all bodies, of requests and of answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
