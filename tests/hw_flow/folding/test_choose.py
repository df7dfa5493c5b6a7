"""Foldings chosen for a target, unfolded, and by the default rule."""

import pytest

from hw_flow import folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from tests.hw_flow.graphs import mlp


@pytest.mark.parametrize("target", [1, 7, 16, 64, 100, 784, 5000, 10**6])
def test_every_node_meets_the_target(target):
    graph = mlp([784, 64, 64, 10])
    for lean in (False, True):
        plan = folding.for_cycles(graph, target, lean=lean)
        folding.check(graph, plan)
        for node in graph:
            assert folding.node_cycles(node, plan[node.name], graph) <= target
            chosen = plan[node.name].pe * plan[node.name].simd
            if lean and node.name.startswith("MVAU"):
                fits = [pe * simd for pe in folding.divisors(node.mh) for simd in folding.divisors(node.mw)
                        if node.mw * node.mh // (pe * simd) <= target]
                assert chosen == min(fits)


def test_neighbours_match_at_equal_cost():
    graph = mlp([12, 12], inputs="UINT8", label=False)
    plan = folding.for_cycles(graph, 1)
    assert plan["Thresholding_0"].pe == plan["MVAU_0"].simd == 12


def test_target_out_of_reach_says_what_is_reachable():
    with pytest.raises(FlowError, match=r"^target of 0 cycles a frame; give at least 1$"):
        folding.for_cycles(mlp([8, 4]), 0)


def test_unfolded_takes_one_cycle():
    graph = mlp([12, 6, 5])
    plan = folding.unfolded(graph)
    assert plan["MVAU_0"] == NodeFolding(6, 12)
    assert folding.interval_cycles(graph, plan) == 1


def test_default_states_its_rule():
    plan = folding.default(mlp([784, 64, 64, 64, 10]))
    assert plan.target_cycles == 64
    assert plan.notes[0] == (
        "no folding given: target of 64 cycles a frame, the smallest power of two from 16 up with at most 1,024 one-bit products"
        " a cycle (922); choose with --target-cycles or --folding")


def test_default_of_a_big_network_stays_within_the_budget():
    graph = mlp([784, 1024, 1024, 10], weights="INT8", activations="UINT8")
    assert folding.parallel_bits(graph, folding.default(graph)) <= 1024


def test_complete_keeps_the_interval_of_the_given_nodes():
    graph = mlp([64, 32, 10])
    plan = folding.complete(graph, {"MVAU_0": NodeFolding(4, 8)})
    assert folding.interval_cycles(graph, plan) == 64
    assert plan.notes == (
        "MVAU_1: no folding given, PE 1 SIMD 8 chosen to keep 64 cycles a frame",
        "LabelSelect_0: no folding given, PE 1 chosen to keep 64 cycles a frame",
    )
