"""What the head of a request must be, beyond what the parsers check."""

import re
from collections.abc import Sequence

MAX_HEADERS = 128

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{0,5})?")


def is_host(values: Sequence[bytes]) -> bool:
    """Tell whether there is one Host field and it is a name or an address (RFC 9112 section 3.2).

    URLs are built from it, so that anything else in it would end up in them.
    """
    return len(values) == 1 and _HOST.fullmatch(values[0]) is not None
