"""IrrepsArray under the transformations of JAX: a pytree of one leaf that costs nothing."""

import re
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402  (after the check that JAX is there)

import irreps_core as ic  # noqa: E402
from irreps_core import Irreps, IrrepsArray  # noqa: E402

IRREPS = Irreps("8x0e + 4x1o + 2x2e")


@pytest.fixture
def x() -> IrrepsArray:
    return IrrepsArray(IRREPS, jax.random.normal(jax.random.key(0), (6, IRREPS.dim), jnp.float32))


def test_one_leaf_with_a_key(x: IrrepsArray) -> None:
    leaves = jax.tree_util.tree_leaves_with_path({"x": x})
    assert len(leaves) == 1
    assert jax.tree_util.keystr(leaves[0][0]) == "['x'].array"
    assert leaves[0][1] is x.array
    assert jax.tree.structure(x) == jax.tree.structure(2 * x)
    assert jax.tree.structure(x) != jax.tree.structure(x.filter("0e"))


@pytest.mark.parametrize("leaf", [object(), None, "text", 3, jax.ShapeDtypeStruct((2,), jnp.float32)])
def test_any_leaf_can_take_the_place_of_the_array(x: IrrepsArray, leaf: Any) -> None:
    treedef = jax.tree.structure(x)
    other = jax.tree.unflatten(treedef, [leaf])
    assert other.array is leaf
    assert other.irreps == IRREPS
    assert jax.tree.map(lambda _: leaf, x).array is leaf


def test_irreps_are_static() -> None:
    assert jax.tree.leaves((IRREPS, IRREPS[0], IRREPS[0].ir)) == []
    assert jax.jit(lambda irreps, a: IrrepsArray(irreps, a))(Irreps("1o"), jnp.ones(3)).irreps == "1o"


def test_jit_and_eval_shape(x: IrrepsArray) -> None:
    y = jax.jit(lambda x: (x + x).regroup())(x)
    assert y.irreps == IRREPS
    assert jax.eval_shape(lambda x: ic.norm(x), x).irreps == "8x0e + 4x0e + 2x0e"


def test_vmap_keeps_zero_flags(x: IrrepsArray) -> None:
    np.testing.assert_array_equal(jax.vmap(lambda x: x[..., "4x1o"])(x).array, x.array[:, 8:20])
    z = ic.from_chunks("0e + 1o", [jnp.ones((6, 1, 1)), None], (6,))
    assert ic.vmap(lambda z: z + z)(z).zero_flags == (False, True)
    pair = ic.vmap(lambda a, b: (a, {"b": b}), in_axes=(0, None))(z, x)
    assert pair[0].zero_flags == (False, True)
    assert pair[1]["b"].shape == (6, 6, IRREPS.dim)


def test_vmap_refuses_the_irreps_axis(x: IrrepsArray) -> None:
    with pytest.raises(ValueError, match="irreps axis"):
        ic.vmap(lambda x: x, in_axes=-1)
    with pytest.raises(ValueError, match="irreps axis"):
        ic.vmap(lambda x: x, in_axes=1)(x)


def test_grad_and_jvp(x: IrrepsArray) -> None:
    gradient = jax.grad(lambda x: ic.norm(x, squared=True).array.sum())(x)
    assert gradient.irreps == IRREPS
    np.testing.assert_allclose(gradient.array, 2 * x.array, rtol=1e-6)
    _, tangent = jax.jvp(lambda x: 3.0 * x, (x,), (x,))
    np.testing.assert_allclose(tangent.array, 3 * x.array, rtol=1e-6)


@pytest.mark.parametrize("per_irrep", [True, False])
def test_the_norm_has_finite_derivatives_at_zero(per_irrep: bool) -> None:
    def f(v: jax.Array) -> jax.Array:
        return ic.norm(IrrepsArray("1o", v), per_irrep=per_irrep).array.sum()

    zero = jnp.zeros(3)
    for derivative in (jax.grad(f), jax.hessian(f), jax.jacfwd(jax.hessian(f))):
        np.testing.assert_array_equal(derivative(zero), 0)
    v = jnp.array([1.0, -2.0, 2.0])
    np.testing.assert_allclose(jax.grad(f)(v), v / 3, rtol=1e-6)


def test_scan_carries_zeros_that_become_data(x: IrrepsArray) -> None:
    total, rows = jax.lax.scan(lambda carry, row: (carry + row, row), ic.zeros(IRREPS, (), jnp.float32), x)
    np.testing.assert_allclose(total.array, x.array.sum(0), rtol=1e-5, atol=1e-6)
    assert rows.irreps == IRREPS
    chosen = jax.lax.cond(True, lambda: ic.zeros(IRREPS, (), jnp.float32), lambda: x[0])
    assert chosen.irreps == IRREPS


def test_export_round_trip(x: IrrepsArray) -> None:
    pytest.importorskip("flatbuffers")
    from jax import export

    exported = export.export(jax.jit(lambda x: 2.0 * x.regroup()))(x)
    again = export.deserialize(exported.serialize())
    y = again.call(x)
    assert isinstance(y, IrrepsArray)
    assert y.irreps == IRREPS
    np.testing.assert_allclose(y.array, 2 * x.array)


def test_donation(x: IrrepsArray) -> None:
    y = jax.jit(lambda x: x + x, donate_argnums=0)(IrrepsArray(IRREPS, x.array + 0))
    np.testing.assert_allclose(y.array, 2 * x.array)


def test_shard_map(x: IrrepsArray) -> None:
    from jax.sharding import Mesh, PartitionSpec

    mesh = Mesh(np.array(jax.devices()[:1]), ("rows",))
    spec = PartitionSpec("rows")
    y = jax.shard_map(lambda x: x + x, mesh=mesh, in_specs=spec, out_specs=spec)(x)
    np.testing.assert_allclose(y.array, 2 * x.array)


def test_no_leaked_tracers(x: IrrepsArray) -> None:
    with jax.checking_leaks():
        jax.jit(lambda x: x.transform_by_angles(0.1, 0.2, 0.3).regroup())(x)


def test_strict_dtype_promotion(x: IrrepsArray) -> None:
    with jax.numpy_dtype_promotion("strict"):
        y = (x + x) * 2.0 - x / 3.0
        y = ic.concatenate([y, y.filter("0e")]).regroup()
        y = y.transform_by_angles(0.1, 0.2, 0.3, 1)
        assert ic.norm(y).dtype == ic.dot(y, y).dtype == jnp.float32


def _operations(text: str) -> int:
    """How many operations a compiled module has."""
    return len(re.findall(r"^\s+(ROOT )?%?\S+ = ", text, re.MULTILINE))


def test_twenty_operations_compile_to_what_plain_arrays_compile_to() -> None:
    a = jnp.ones((32, IRREPS.dim), jnp.float32)
    sizes = [item.dim for item in IRREPS]
    starts = np.cumsum([0, *sizes])

    def with_irreps(a: jax.Array, w: jax.Array) -> jax.Array:
        x = IrrepsArray(IRREPS, a)
        y = x
        for _ in range(4):
            y = y + x
            y = 0.5 * y
            y = y * w
            y = y.sort()
            y = ic.concatenate([y[..., :8], y[..., 8:]])
        return ic.norm(y, squared=True).array

    def by_hand(a: jax.Array, w: jax.Array) -> jax.Array:
        y = a
        for _ in range(4):
            y = y + a
            y = 0.5 * y
            parts = [y[:, starts[i] : starts[i + 1]] for i in range(3)]
            ws = [w[:, :8], w[:, 8:12], w[:, 12:]]
            parts = [
                (p.reshape(32, item.mul, item.ir.dim) * v[:, :, None]).reshape(32, item.dim)
                for p, v, item in zip(parts, ws, IRREPS, strict=True)
            ]
            y = jnp.concatenate(parts, axis=-1)
            y = jnp.concatenate([y[:, :8], y[:, 8:]], axis=-1)
        squares = [
            (y[:, starts[i] : starts[i + 1]].reshape(32, item.mul, item.ir.dim) ** 2).sum(-1)
            for i, item in enumerate(IRREPS)
        ]
        return jnp.concatenate(squares, axis=-1)

    w = jnp.full((32, IRREPS.num_irreps), 0.9, jnp.float32)
    np.testing.assert_allclose(with_irreps(a, w), by_hand(a, w), rtol=1e-6)
    ours = _operations(jax.jit(with_irreps).lower(a, w).compile().as_text())
    theirs = _operations(jax.jit(by_hand).lower(a, w).compile().as_text())
    assert ours <= 1.1 * theirs, (ours, theirs)


def test_the_derivative_of_chunks_is_a_concatenation() -> None:
    def f(a: jax.Array) -> jax.Array:
        return sum(jnp.sum(jnp.sin(c)) for c in IrrepsArray(IRREPS, a).chunks)

    jaxpr = str(jax.make_jaxpr(jax.grad(f))(jnp.ones((5, IRREPS.dim))))
    assert "concatenate" in jaxpr
    assert "pad" not in jaxpr
    assert "add_any" not in jaxpr
