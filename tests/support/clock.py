"""A clock that stands still until a test moves it."""


class FrozenClock:
    """A `Clock`: call it for the time in seconds since the epoch."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; a negative number sets the clock back."""
        self.now += seconds
