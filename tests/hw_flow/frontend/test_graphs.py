"""Random networks of every operator: they compile, or are refused in one line, and equal QONNX."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.frontend.catalogue import supported
from tests.hw_flow.qonnx_graphs import random_graph


def _check(path: Path, seed: int, *, power_of_two: bool | None = None) -> bool:
    """Whether network ``seed`` is taken; it must equal QONNX then."""
    network = random_graph(seed, power_of_two=power_of_two)
    network.save(path)
    try:
        program = compile_qonnx(path, input_type=network.input_type, input_scale=network.input_scale)
    except FlowError as error:
        refusal = str(error)
    else:
        result = compare(program, network.samples(16))
        assert result.bit_exact, f"seed {seed}: {result}"
        return True
    assert "\n" not in refusal
    assert ";" in refusal
    return False


@pytest.mark.parametrize("first", [2000, 2010, 2020, 2030])
def test_random_networks(tmp_path: Path, first: int) -> None:
    taken = [_check(tmp_path / "m.onnx", seed) for seed in range(first, first + 10)]
    assert sum(taken) >= 9


@pytest.mark.parametrize("seed", [2000, 2007, 2031])
def test_a_saved_program_compiles_again(tmp_path: Path, seed: int) -> None:
    """What `save` writes was cleaned before; the same is found in it."""
    network = random_graph(seed)
    network.save(tmp_path / "m.onnx")
    program = compile_qonnx(tmp_path / "m.onnx", input_type=network.input_type, input_scale=network.input_scale)
    program.save(tmp_path)
    again = Program.load(tmp_path)
    names = [tensor.name for tensor in again.model.graph.initializer]
    assert len(names) == len(set(names))
    assert compare(again, network.samples(4)) == compare(program, network.samples(4))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(3000, 3200, 20))
def test_many_random_networks(tmp_path: Path, first: int) -> None:
    taken = [_check(tmp_path / "m.onnx", seed) for seed in range(first, first + 20)]
    assert sum(taken) >= 18


def test_the_generator_covers_the_operators() -> None:
    seen = frozenset().union(*(random_graph(seed).operators for seed in range(500)))
    # Folded ones, and some that are in tests of their own.
    assert seen >= supported() - {"Cast", "Constant", "ConstantOfShape", "Exp", "Expand", "Reciprocal", "Shape", "Swish"}
