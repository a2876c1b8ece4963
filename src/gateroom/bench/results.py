"""What was measured: samples by measure and server, the figure they make, how it compares with the tutorial loop."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateroom.bench.peers import TUTORIAL


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table; smaller is better in all of them."""

    name: str
    unit: str
    compared: bool = True  # whether a ratio to the tutorial loop means anything
    lumpy: bool = False  # whether it comes in lumps (a garbage collection among handshakes): rounds are averaged then


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure; `load_share` is how much of its core the load side was using meanwhile, from 0 to 1."""

    value: float
    load_share: float | None = None


@dataclass(slots=True)
class Results:
    """Samples of one run: the n-th sample of every server was taken in the n-th round, close together in time."""

    samples: dict[Measure, dict[str, list[Sample]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    left_out: dict[str, str] = field(default_factory=dict)  # server: why

    def add(self, measure: Measure, server: str, value: float, load_share: float | None = None) -> None:
        self.samples[measure][server].append(Sample(value, load_share))

    def servers(self) -> list[str]:
        """Return every server with a sample, in the order in which they first ran."""
        return list(dict.fromkeys(server for row in self.samples.values() for server in row))

    def figure(self, measure: Measure, server: str) -> float | None:
        """Return the median over the rounds, or the mean of what is lumpy; None without a sample."""
        return self._middle(measure, [sample.value for sample in self.samples[measure].get(server, ())])

    def ratio(self, measure: Measure, server: str) -> float | None:
        """Return this server's figure as a multiple of the tutorial loop's, each round compared with itself."""
        row = self.samples[measure]
        pairs = [
            (mine.value, theirs.value)
            for mine, theirs in zip(row.get(server, ()), row.get(TUTORIAL, ()), strict=False)
            if theirs.value > 0
        ]
        if not measure.compared or not pairs:
            return None
        if measure.lumpy:
            return sum(mine for mine, _ in pairs) / sum(theirs for _, theirs in pairs)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def _middle(self, measure: Measure, values: Sequence[float]) -> float | None:
        if not values:
            return None
        return statistics.fmean(values) if measure.lumpy else statistics.median(values)
