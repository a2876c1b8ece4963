from gateroom.bench.peers import TUTORIAL
from gateroom.bench.results import Measure, Results

COST = Measure("cost", "µs")


def test_the_figure_of_a_server_is_the_median_of_its_samples() -> None:
    results = Results()
    for value in (9.0, 1.0, 2.0):
        results.add(COST, "gateroom", value)

    assert results.figure(COST, "gateroom") == 2
    assert results.figure(COST, "nobody") is None


def test_what_comes_in_lumps_is_averaged_so_that_no_lump_is_lost() -> None:
    results = Results()
    handshake = Measure("handshake", "µs", lumpy=True)
    for ours, theirs in ((200.0, 200.0), (200.0, 800.0), (500.0, 200.0)):
        results.add(handshake, "gateroom", ours)
        results.add(handshake, TUTORIAL, theirs)

    assert results.figure(handshake, "gateroom") == 300
    assert results.ratio(handshake, "gateroom") == 0.75


def test_a_ratio_compares_figures_of_the_same_round() -> None:
    results = Results()
    for ours, theirs in ((5.0, 10.0), (30.0, 60.0), (1.0, 4.0)):  # the second round was slow for everybody
        results.add(COST, "gateroom", ours)
        results.add(COST, TUTORIAL, theirs)

    assert results.ratio(COST, "gateroom") == 0.5


def test_there_is_no_ratio_without_the_tutorial_loop_or_where_it_means_nothing() -> None:
    results = Results()
    lateness = Measure("lateness", "ms", compared=False)
    for measure, server in ((COST, "gateroom"), (lateness, "gateroom"), (lateness, TUTORIAL)):
        results.add(measure, server, 1.0)

    assert results.ratio(COST, "gateroom") is None
    assert results.ratio(lateness, "gateroom") is None


def test_servers_come_in_the_order_in_which_they_ran() -> None:
    results = Results()
    for server in ("b", "a", "b"):
        results.add(COST, server, 1.0)

    assert results.servers() == ["b", "a"]
