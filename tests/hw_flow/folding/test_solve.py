"""The solver: optimal on small graphs, within targets, and able to say what sets the pace."""

from itertools import product

import numpy as np
import pytest

from hw_flow import fifo, folding
from hw_flow.cost import total
from hw_flow.errors import FlowError
from hw_flow.folding import Budget, NodeFolding
from hw_flow.folding.optimise import Problem, cheapest, within
from hw_flow.ir import Multiply
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import Builder, convolutions, residual


def branches():
    builder = Builder(np.random.default_rng(0))
    x = builder.input((4, 4, 2))
    return builder.graph(builder.matrix(builder.concat(builder.matrix(x, 2), builder.threshold(x), x), 2))


def depthwise():
    builder = Builder(np.random.default_rng(1))
    window = builder.window(builder.input((4, 4, 4)), (2, 2), depthwise=True)
    return builder.graph(builder.threshold(builder.depthwise(window, 4)))


def weighted(graph, plan):
    return total(graph, plan).price


def every(graph):
    """All legal foldings of a small graph."""
    names = [node.name for node in graph]
    for choice in product(*(folding.options(node, graph) for node in graph)):
        plan = dict(zip(names, choice, strict=True))
        try:
            folding.check(graph, plan)
        except FlowError:
            continue
        yield plan


SMALL = {
    "chain": mlp([6, 4, 4], inputs="UINT4"), "wide": mlp([4, 6, 3], weights="INT8", activations="UINT8", label=False),
    "map": convolutions(3, (2, 4)), "branches": branches(), "depthwise": depthwise(),
}


@pytest.mark.parametrize("name", SMALL)
def test_least_cost_for_a_target_is_that_of_exhaustive_search(name):
    graph = SMALL[name]
    plans = list(every(graph))
    intervals = sorted({folding.interval_cycles(graph, plan) for plan in plans})
    for target in (intervals[0], intervals[len(intervals) // 3], intervals[-1]):
        best = min(weighted(graph, plan) for plan in plans if folding.interval_cycles(graph, plan) <= target)
        assert weighted(graph, folding.for_cycles(graph, target)) == pytest.approx(best)


@pytest.mark.parametrize("name", SMALL)
def test_fastest_within_a_budget_is_that_of_exhaustive_search(name):
    graph = SMALL[name]
    plans = list(every(graph))
    costs = sorted(total(graph, plan).luts for plan in plans)
    for luts in (costs[0], costs[len(costs) // 10], costs[len(costs) // 2]):
        best = min(folding.interval_cycles(graph, plan) for plan in plans if total(graph, plan).luts <= luts)
        found = folding.for_budget(graph, Budget(luts=int(np.ceil(luts))))
        assert total(graph, found).luts <= np.ceil(luts)
        assert folding.interval_cycles(graph, found) == best


@pytest.mark.parametrize("name", SMALL)
def test_least_cost_for_a_latency_is_within_5_percent_of_exhaustive_search(name):
    graph = SMALL[name]
    points = np.array([(weighted(graph, plan), fifo.latency_cycles(graph, plan)) for plan in every(graph)])
    for share in (0.0, 0.1, 0.3, 0.6, 0.9):
        target = int(np.quantile(np.unique(points[:, 1]), share))
        plan = folding.for_latency(graph, target)
        folding.check(graph, plan)
        assert fifo.latency_cycles(graph, plan) <= target
        assert weighted(graph, plan) <= 1.05 * points[points[:, 1] <= target, 0].min()


@pytest.mark.parametrize("seed", range(8))
def test_elimination_the_solver_and_exhaustive_search_agree(seed):
    rng = np.random.default_rng(seed)
    sizes = [int(rng.integers(2, 5)) for _ in range(5)]
    nodes = [rng.integers(0, 50, (size, 2)).astype(float) for size in sizes]
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 3), (1, 4)][:int(rng.integers(4, 7))]
    pairs = {}
    for a, b in edges:
        costs = rng.integers(0, 20, (sizes[a], sizes[b], 2)).astype(float)
        costs[rng.random((sizes[a], sizes[b])) < 0.2, 0] = np.inf
        pairs[a, b] = costs
    problem = Problem(nodes, pairs)

    def value(picks):
        found = sum((costs[pick] for costs, pick in zip(nodes, picks, strict=True)), np.zeros(2))
        return found + sum((costs[picks[a], picks[b]] for (a, b), costs in pairs.items()), np.zeros(2))

    weights = (1.0, 0.5)
    points = {picks: value(picks) for picks in product(*map(range, sizes))}
    finite = {picks: point for picks, point in points.items() if np.isfinite(point[0])}
    best = min(point @ weights for point in finite.values())
    assert value(cheapest(problem, weights)) @ weights == pytest.approx(best)
    assert value(within(problem, weights, (np.inf, np.inf))) @ weights == pytest.approx(best)
    limit = float(np.median([point[1] for point in finite.values()]))
    best = min(point @ weights for point in finite.values() if point[1] <= limit)
    assert value(within(problem, weights, (np.inf, limit))) @ weights == pytest.approx(best)
    assert within(problem, weights, (np.inf, -1.0)) is None


def test_frames_per_second_at_a_clock():
    graph = mlp([48, 32, 10])
    plan = folding.for_rate(graph, 1e6, 100)
    assert folding.interval_cycles(graph, plan) <= 100
    assert plan.notes[0].startswith("1,000,000 frames a second at 100 MHz allow 100 cycles a frame; this folding takes ")
    text = r"^200,000,000 frames a second at 100 MHz leave less than a cycle a frame; give a faster clock$"
    with pytest.raises(FlowError, match=text):
        folding.for_rate(graph, 2e8, 100)
    with pytest.raises(FlowError, match=r"^5 frames a second at inf MHz leave no finite number of cycles a frame; give others$"):
        folding.for_rate(graph, 5, float("inf"))


def test_latency():
    graph = convolutions(6, (2, 4), label=4)
    slow, fast = folding.for_latency(graph, 2000), folding.for_latency(graph, 400)
    for plan, target in ((slow, 2000), (fast, 400)):
        assert fifo.predict(graph, plan, fifo.depths(graph, plan), frames=1).latency_cycles <= target
        assert plan.notes[0].startswith("the first output comes after ")
    assert total(graph, slow).luts < total(graph, fast).luts
    with pytest.raises(FlowError, match=r"^graph 'map': a latency of 3 cycles is out of reach; the least found is \d+$"):
        folding.for_latency(graph, 3)


def test_block_memories_can_be_limited():
    graph = mlp([784, 256, 10], weights="INT4", activations="UINT4")
    plain = folding.for_cycles(graph, 4096)
    assert total(graph, plain).brams > 0
    without = folding.for_budget(graph, Budget(brams=0))
    assert total(graph, without).brams == 0
    assert {own.ram_style for name, own in without.items() if name.startswith("MVAU")} == {"distributed"}


def test_every_multiplier_can_be_made_of_luts():
    builder = Builder(np.random.default_rng(2))
    x = builder.input((8,), "UINT8")
    graph = builder.graph(builder.add(Multiply, (x, x), "UINT16"))
    assert total(graph, folding.for_cycles(graph, 8)).dsps > 0
    assert total(graph, folding.for_budget(graph, Budget(dsps=0))).dsps == 0


def test_a_budget_for_taps_that_no_window_makes():
    builder = Builder(np.random.default_rng(3))
    graph = builder.graph(builder.depthwise(builder.input((4, 4, 8), "UINT4"), 4))
    plans = list(every(graph))
    for plan in plans:
        budget = Budget(luts=int(np.ceil(total(graph, plan).luts)))
        best = min(folding.interval_cycles(graph, own) for own in plans if total(graph, own).luts <= budget.luts)
        assert folding.interval_cycles(graph, folding.for_budget(graph, budget)) == best


def test_a_budget_that_is_too_small_says_what_is_needed():
    with pytest.raises(FlowError, match=r"^graph 'mlp': no folding fits into 10 LUTs; the smallest needs about [\d,]+ LUTs"):
        folding.for_budget(mlp([16, 8, 4]), Budget(luts=10))


def test_the_bottleneck_is_explained():
    graph = mlp([48, 32, 10])
    plan = {"MVAU_0": NodeFolding(4, 8), "MVAU_1": NodeFolding(1, 4), "LabelSelect_0": NodeFolding(1)}
    assert folding.bottleneck(graph, plan) == (
        "MVAU_1 sets the interval of 80 cycles a frame: 1 x 10 x 32 products with PE 1 SIMD 4; next is MVAU_0 with 48")
    found = folding.for_cycles(residual(4, 4), 600)
    name = found.notes[0].split(" sets the interval of ")[0]
    assert folding.node_cycles(residual(4, 4).node(name), found[name], residual(4, 4)) <= 600
