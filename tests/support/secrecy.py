"""What no output of a gateway may ever contain: checked for every server and command that a test starts (LG-1)."""

import re
from collections.abc import Iterable

# Three parts of base64url, the first two beginning as JSON objects do; and our opaque tokens, tickets and API keys.
JWT = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")
OPAQUE = re.compile(r"\bgr[rtk]_[\w-]{16,}")
SHOWN_ONCE = "new account "  # the first start's own words, with the password that it made up


def leaks_in(lines: Iterable[str], passwords: Iterable[str] = ()) -> list[str]:
    """Return the lines with a token, a ticket, an API key or one of these passwords in them."""
    known = [password for password in passwords if len(password) >= 8]
    return [
        line
        for line in lines
        if JWT.search(line)
        or OPAQUE.search(line)
        or (not line.lstrip().startswith(SHOWN_ONCE) and any(password in line for password in known))
    ]
