"""Convolutions of networks written with e3nn, by edge_convolution with permuted and signed weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_compat import e3nn


def sorted_instructions(irreps1: str, irreps2: str, keep: str) -> tuple[irr.Irreps, list[tuple[Any, ...]]]:
    """The instructions of NequIP and MACE: in the order of the inputs, with outputs sorted as e3nn does."""
    found = [
        (i, j, mul, ir)
        for i, (mul, ir1) in enumerate(irr.Irreps(irreps1))
        for j, (_, ir2) in enumerate(irr.Irreps(irreps2))
        for ir in ir1 * ir2
        if ir in irr.Irreps(keep)
    ]
    order = sorted(range(len(found)), key=lambda n: (found[n][3].l, found[n][3].p))
    irreps_out = irr.Irreps([found[n][2:] for n in order])
    return irreps_out, [(i, j, order.index(n), "uvu", True) for n, (i, j, _, _) in enumerate(found)]


@pytest.mark.parametrize(
    ("irreps1", "irreps2", "order", "convention"),
    [
        ("3x0e + 2x1e + 1x2e", "0e + 1e + 2e", "by input", "e3nn-0.4"),
        ("2x0e + 3x1o + 1x1e", "0e + 1o + 2e", "by output", "e3nn"),
    ],
)
def test_the_convolution_is_that_of_e3nn(irreps1: str, irreps2: str, order: str, convention: str) -> None:
    keep = "0e + 0o + 1o + 1e + 2e"
    irreps_out, instructions = sorted_instructions(irreps1, irreps2, keep)
    if order == "by output":
        instructions = sorted(instructions, key=lambda ins: ins[2])
    product = irr.FunctionalTensorProduct(irreps1, irreps2, irreps_out, instructions, convention=convention)
    keys = jax.random.split(jax.random.key(0), 4)
    senders, receivers = jnp.array([0, 1, 2, 2, 1]), jnp.array([1, 0, 0, 1, 0])
    x, y = irr.normal(irreps1, keys[0], (3,), dtype="float64"), irr.normal(irreps2, keys[1], (5,), dtype="float64")
    hidden = jax.random.normal(keys[2], (5, 4), "float64")
    matrix = jax.random.normal(keys[3], (4, product.num_weights), "float64")
    messages = jax.vmap(product)(hidden @ matrix, x[senders], y)
    expected = irr.scatter_sum(messages, dst=receivers, output_size=3).regroup()
    weights = e3nn.uvu_weights(matrix, irreps1, irreps2, irreps_out, instructions, convention=convention)
    found = irr.edge_convolution(x, y, (hidden, weights), (senders, receivers), num_nodes=3, filter_ir_out=irreps_out)
    assert found.irreps == expected.irreps
    np.testing.assert_allclose(found.array, expected.array, atol=1e-13)


def test_equal_irreps_in_any_order_go_with_a_permuted_linear_map() -> None:
    irreps1, irreps2, keep = "2x0e + 3x1o + 1x1o", "0e + 1o + 2e", "0e + 1o"
    irreps_out, instructions = sorted_instructions(irreps1, irreps2, keep)
    shuffled = np.random.default_rng(1).permutation(len(instructions)).tolist()  # new place of each item
    instructions = [(i, j, shuffled[k], "uvu", True) for i, j, k, *_ in instructions]
    irreps_out = irr.Irreps([irreps_out[shuffled.index(k)] for k in range(len(shuffled))])
    product = irr.FunctionalTensorProduct(irreps1, irreps2, irreps_out, instructions)
    keys = jax.random.split(jax.random.key(1), 3)
    x, y = irr.normal(irreps1, keys[0], (1,), dtype="float64"), irr.normal(irreps2, keys[1], (1,), dtype="float64")
    weights = jax.random.normal(keys[2], (1, product.num_weights), "float64")
    expected = jax.vmap(product)(weights, x, y).regroup()
    with pytest.raises(ValueError, match="any_order=True"):
        e3nn.uvu_weights(weights, irreps1, irreps2, irreps_out, instructions)
    ours = e3nn.uvu_weights(weights, irreps1, irreps2, irreps_out, instructions, any_order=True)
    ends = (jnp.zeros(1, int), jnp.zeros(1, int))
    found = irr.edge_convolution(x, y, ours, ends, num_nodes=1, filter_ir_out=irreps_out)
    order = e3nn.uvu_order(irreps1, irreps2, irreps_out, instructions)
    assert set(order) == {ir for _, ir in found.irreps}
    for (_, ir), chunk, same in zip(found.irreps, found.chunks, expected.chunks, strict=True):
        np.testing.assert_allclose(chunk, same[:, order[ir]], atol=1e-13)


def test_three_of_fifteen_paths_of_degree_2_have_the_other_sign() -> None:
    irreps_out, instructions = sorted_instructions("0e + 1e + 2e", "0e + 1e + 2e", "0e + 1e + 2e")
    weights = np.ones(len(instructions))
    new, old = (
        e3nn.uvu_weights(weights, "0e + 1e + 2e", "0e + 1e + 2e", irreps_out, instructions, convention=c)
        for c in ("e3nn", "e3nn-0.4")
    )
    assert len(new) == 15
    assert np.count_nonzero(new != old) == 3
    np.testing.assert_array_equal(np.abs(new), np.abs(old))


PATHS = [(0, 0, 0, "uvu", True), (1, 0, 1, "uvu", True)]
BAD: dict[str, tuple[Any, ...]] = {
    "another mode": (np.ones(8), "2x0e + 2x1o", "0e", "2x0e + 2x1o", [(0, 0, 0, "uvw", True), PATHS[1]], "mode 'uvu'"),
    "no weights": (np.ones(2), "2x0e + 2x1o", "0e", "2x0e + 2x1o", [(0, 0, 0, "uvu", False), PATHS[1]], "mode 'uvu'"),
    "two harmonics": (np.ones(8), "2x0e + 2x1o", "2x0e", "2x0e + 2x1o", PATHS, "multiplicity 1"),
    "a missing weight": (np.ones(3), "2x0e + 2x1o", "0e", "2x0e + 2x1o", PATHS, r"\(..., 4\), got \(3,\)"),
    "a sum of paths": (np.ones(4), "2x0e + 2x0e", "0e", "2x0e", [PATHS[0], (1, 0, 0, "uvu", True)], "for each of 2x0e"),
    "a missing path": (np.ones(2), "2x0e + 2x0e", "0e", "2x0e", [PATHS[0]], "for each path"),
    "another order": (
        np.ones(4), "2x0e + 2x0e", "0e", "2x0e + 2x0e", [(0, 0, 1, "uvu", True), (1, 0, 0, "uvu", True)], "order",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_other_instructions_are_refused(name: str) -> None:
    *arguments, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        e3nn.uvu_weights(*arguments)


def test_the_convention_is_found_anywhere_in_a_network() -> None:
    key = "2_convolution.convolution._compiled_main_left_right._w3j_{}_{}_{}"
    differing = [(1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 1, 1), (2, 2, 2), (1, 2, 2)]
    for name in ("e3nn", "e3nn-0.4"):
        state = {key.format(*ls): ic.clebsch_gordan_sign(name, *ls) * ic.clebsch_gordan(*ls) for ls in differing}
        assert e3nn.convention(state) == name
        assert e3nn.convention(state, "2_convolution") == name
    with pytest.raises(ValueError, match="do not distinguish"):
        e3nn.convention({**state, "a": np.ones(3)}, "1_convolution")
    with pytest.raises(ValueError, match="do not distinguish"):
        e3nn.convention({})
    assert e3nn.convention({}, default="e3nn-0.4") == "e3nn-0.4"
    assert e3nn.convention(state, default="e3nn") == "e3nn-0.4"
    state[key.format(1, 1, 2).replace("2_", "3_", 1)] = -state[key.format(1, 1, 2)]
    with pytest.raises(ValueError, match="another sign"):
        e3nn.convention(state)
