"""What the benchmark tells a load process on its standard input, and what that answers: a line of JSON each."""

import msgspec


class Setup(msgspec.Struct):
    """Whom to load: the first line."""

    port: int
    server: int  # pid of the root of its process tree
    wire: str  # a name in wires.WIRES


class Open(msgspec.Struct, tag="open"):
    """Connect this many more members; each takes the next of the tokens, over and over."""

    members: int
    tokens: list[str] = []


class Close(msgspec.Struct, tag="close"):
    """Disconnect everybody."""


class ClosedLoop(msgspec.Struct, tag="closed-loop"):
    """Keep so many publishes in flight for so many seconds: the next is sent when one comes back.

    What goes out in the `warm_up` seconds before that is not counted.
    """

    in_flight: int
    seconds: float
    warm_up: float = 0.1


class Steady(msgspec.Struct, tag="steady"):
    """Publish at a fixed rate a second, whatever comes back."""

    rate: float
    seconds: float


Order = Open | Close | ClosedLoop | Steady


class Opened(msgspec.Struct, tag="opened"):
    """`cpu` is what the server used for these members, in seconds."""

    members: int
    cpu: float


class Closed(msgspec.Struct, tag="closed"):
    pass


class Delivered(msgspec.Struct, tag="delivered"):
    """`cpu` is what the server used for these deliveries, `load_cpu` what the load process did, in seconds."""

    publishes: int
    deliveries: int
    seconds: float
    cpu: float
    load_cpu: float


class Latencies(msgspec.Struct, tag="latencies"):
    """Milliseconds from a publish to its delivery; `late` is by how much the load side missed its times (p99)."""

    publishes: int
    deliveries: int
    p50: float
    p99: float
    late: float


class Failed(msgspec.Struct, tag="failed"):
    what: str


Answer = Opened | Closed | Delivered | Latencies | Failed
