"""The integers behind the types of weights."""

from __future__ import annotations

import pytest

from models import CODEBOOK_TYPES, WEIGHT_TYPES, ModelError
from models.bits import type_bits
from models.codebook import CodebookQuant
from models.levels import grid_bits, weight_integers


@pytest.mark.parametrize("name", WEIGHT_TYPES)
def test_plain_types_store_what_they_multiply(name: str) -> None:
    assert grid_bits(name) == type_bits(name)
    assert 1 << (type_bits(name) - 1) <= len(weight_integers(name)) <= 1 << type_bits(name)


@pytest.mark.parametrize("name", CODEBOOK_TYPES)
def test_codebooks_have_the_levels_that_their_layers_start_with(name: str) -> None:
    quantiser = CodebookQuant(name, "float", ())
    assert [int(level) for level in quantiser.integers()] == list(weight_integers(name))
    assert grid_bits(name) == quantiser.bit_width > type_bits(name)
    assert len(weight_integers(name)) in (1 << type_bits(name), (1 << type_bits(name)) - 1)


def test_float_has_none() -> None:
    with pytest.raises(ModelError, match=r"^FLOAT weights are no integers; give another type$"):
        weight_integers("FLOAT")
    assert grid_bits("FLOAT") == 32
