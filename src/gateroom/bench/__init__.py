"""The benchmark: Gateroom and its peers as processes, driven over the wire and charged by the operating system."""


class CannotMeasure(Exception):
    """Something the benchmark needs is missing or broke; the sentence says what, and how to mend it."""
