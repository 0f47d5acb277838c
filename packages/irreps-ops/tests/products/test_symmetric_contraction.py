"""Symmetric contraction against its definition with dense symmetric tensors, and values of e3nn-jax."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core import Irrep, Irreps, parse_symmetry, symmetric_basis
from irreps_ops.products._symmetric_polynomials import equivariant_polynomials


def close(ours: Any, expected: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


def dense(irreps: str, degree: int, keep: Any = None) -> dict[Irrep, np.ndarray]:
    """The basis as symmetric tensors of shape (dim, ..., dim, copies, 2l+1)."""
    dim, out = Irreps(irreps).dim, {}
    for ir, found in equivariant_polynomials(Irreps(irreps), degree, keep).items():
        tensor = np.zeros((dim,) * degree + (found.copies, ir.dim))
        for (copy, *variables, component), value in zip(found.terms, found.values, strict=True):
            places = set(itertools.permutations(variables))
            for place in places:
                tensor[(*place, copy, component)] += value / len(places)
        out[ir] = tensor
    return out


@pytest.mark.parametrize(
    ("irreps", "degree"), [("1o", 1), ("1o", 4), ("2e", 3), ("0e+1o", 3), ("1o+0e+2e", 2), ("2x1o+0o", 3), ("3o", 3)]
)
def test_basis_is_an_orthonormal_basis_of_all_symmetric_tensors(irreps: str, degree: int) -> None:
    ours = dense(irreps, degree)
    letters = "ijkl"[:degree]
    group = parse_symmetry("=".join(map("".join, itertools.permutations(letters))))[1]
    expected = symmetric_basis((Irreps(irreps),) * degree, group)
    assert set(ours) == set(expected)
    for ir, tensor in ours.items():
        one, other = tensor.reshape(-1, *tensor.shape[-2:]), np.reshape(expected[ir], (len(expected[ir]), -1, ir.dim))
        identity = np.einsum("tck,tdl->ckdl", one, one)
        np.testing.assert_allclose(identity, np.einsum("cd,kl->ckdl", np.eye(one.shape[1]), np.eye(ir.dim)), atol=1e-12)
        spans = np.einsum("tck,sck->ts", one, one), np.einsum("ctk,csk->ts", other, other)
        np.testing.assert_allclose(*spans, atol=1e-12)


def test_basis_of_some_irreps_is_that_of_all() -> None:
    some = equivariant_polynomials(Irreps("0e+1o+2e"), 3, frozenset({Irrep("1o"), Irrep("3o")}))
    every = equivariant_polynomials(Irreps("0e+1o+2e"), 3)
    assert list(some) == [Irrep("1o"), Irrep("3o")]
    for ir, found in some.items():
        np.testing.assert_array_equal(found.terms, every[ir].terms)
        np.testing.assert_allclose(found.values, every[ir].values, atol=1e-14)


IRREPS, CHANNELS = "0e+1o+2e", 3


def weights_of(
    f: irr.FunctionalSymmetricContraction, shape: tuple[int, ...] = (), seed: int = 1
) -> dict[str, jax.Array]:
    rng = np.random.default_rng(seed)
    return {p.name: jnp.asarray(rng.normal(size=(*shape, p.multiplicity, CHANNELS))) for p in f.weights}


def data(*shape: int, irreps: str = IRREPS, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, CHANNELS, Irreps(irreps).dim)))


def by_definition(f: irr.FunctionalSymmetricContraction, weights: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """The sum with dense tensors; weights of shape (..., multiplicity, channels)."""
    out: dict[Irrep, Any] = {ir: 0.0 for _, ir in f.irreps_out}
    for path in f.weights:
        y = jnp.asarray(dense(str(f.irreps_in), path.order)[path.irrep])
        letters = "ijklm"[: path.order]
        formula = f"{letters}zy,...zc,{','.join(f'...c{i}' for i in letters)}->...cy"
        out[path.irrep] += jnp.einsum(formula, y, weights[path.name], *(x,) * path.order) / path.multiplicity
    return jnp.concatenate([out[ir] for _, ir in f.irreps_out], axis=-1)


@pytest.mark.parametrize(
    ("irreps", "orders", "keep", "shape"),
    [
        (IRREPS, (1, 2, 3), "0e+1o", (4,)),
        (IRREPS, (3,), None, ()),
        (IRREPS, (2, 1), ["1o", Irrep("2e")], (2, 2)),
        ("1o", (4,), "0e", (2,)),
        ("2x1o+0o", (2, 3), "1e+0o", (2,)),
        (IRREPS, (1, 3), "1o", (0,)),
    ],
)
def test_values(irreps: str, orders: tuple[int, ...], keep: Any, shape: tuple[int, ...]) -> None:
    f = irr.FunctionalSymmetricContraction(irreps, orders, keep)
    weights, x = weights_of(f), data(*shape, irreps=irreps)
    expected = by_definition(f, weights, x)
    y = f(weights, ic.IrrepsArray(irreps, x))
    assert y.irreps == f.irreps_out
    close(y.array, expected)
    joined = f.join_weights(weights)
    assert joined.shape == (f.num_weights, CHANNELS)
    np.testing.assert_array_equal(f.split_weights(joined)[f.weights[-1].name], weights[f.weights[-1].name])
    again = irr.symmetric_contraction(ic.IrrepsArray(irreps, x), joined, orders, keep_irrep_out=keep)
    np.testing.assert_array_equal(again.array, y.array)


def test_weights_of_each_species() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    weights, x, index = weights_of(f, (3,)), data(2, 3), jnp.array([[0, 2, 1], [2, 3, -1]])
    mine = {name: jnp.take(w, index, axis=0, mode="clip") for name, w in weights.items()}
    known = ((index >= 0) & (index < 3))[..., None, None]  # others have no weights
    y = f(weights, ic.IrrepsArray(IRREPS, x), index)
    close(y.array, jnp.where(known, by_definition(f, mine, x), 0))


def _derivatives(f: Callable[..., jax.Array]) -> dict[str, Callable[..., Any]]:
    """A function of weights and x, and its derivatives to third order, in forward and reverse mode."""

    def scalar(w: Any, x: Any) -> jax.Array:
        return jnp.sum(jnp.sin(f(w, x)))

    def force_loss(w: Any, x: Any) -> jax.Array:
        return jnp.sum(jnp.cos(jax.grad(scalar, argnums=1)(w, x)))

    return {
        "value": f,
        "gradient": jax.grad(scalar, argnums=(0, 1)),
        "training step": jax.grad(force_loss, argnums=(0, 1)),
        "third": lambda w, x: jax.jvp(jax.grad(force_loss, argnums=(0, 1)), (w, x), (w, x))[1],
        "forward": lambda w, x: jax.jvp(f, (w, x), (w, x))[1],
    }


@pytest.mark.parametrize("species", [False, True])
@pytest.mark.parametrize("which", ["value", "gradient", "training step", "third", "forward"])
def test_derivatives(which: str, species: bool) -> None:
    orders, keep = ((3,), "1o") if which == "third" else ((1, 2, 3), "0e+1o")
    f = irr.FunctionalSymmetricContraction("0e+1o", orders, keep)
    index = jnp.array([1, 0, 1, 1]) if species else None
    weights, x = weights_of(f, (2,) if species else ()), data(4, irreps="0e+1o")

    def ours(w: Any, x: Any) -> jax.Array:
        return f(w, ic.IrrepsArray("0e+1o", x), index).array

    def expected(w: Any, x: Any) -> jax.Array:
        return by_definition(f, w if index is None else jax.tree.map(lambda a: a[index], w), x)

    a, b = (jax.jit(_derivatives(g)[which])(weights, x) for g in (ours, expected))
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_batches_and_float32() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    weights, x = weights_of(f), data(2, 5)

    def ours(w: Any, x: Any) -> jax.Array:
        return f(w, ic.IrrepsArray(IRREPS, x)).array

    expected = by_definition(f, weights, x)
    close(jax.vmap(ours, (None, 0))(weights, x), expected)
    twice = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), weights)
    close(jax.vmap(ours)(twice, x), expected * jnp.array([1.0, 2.0])[:, None, None, None])
    narrow = jax.tree.map(lambda a: a.astype(jnp.float32), (weights, x))
    with jax.numpy_dtype_promotion("strict"):
        out = ours(*narrow)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, expected, rtol=2e-5, atol=2e-5)


def test_equivariance() -> None:
    f = irr.FunctionalSymmetricContraction("0e+1o+2o", (1, 2, 3), "0e+1o+1e+2o")
    weights, x = weights_of(f), data(4, irreps="0e+1o+2o")
    y = f(weights, ic.IrrepsArray("0e+1o+2o", x)).array
    for parity in (0, 1):
        before, after = (irreps.D_from_angles(0.3, 1.1, -2.0, parity) for irreps in (f.irreps_in, f.irreps_out))
        turned = f(weights, ic.IrrepsArray("0e+1o+2o", x @ before.T)).array
        close(turned, y @ after.T)


def test_values_of_e3nn_jax() -> None:
    """Computed by ``e3nn.haiku.SymmetricTensorProduct`` of e3nn-jax 0.21 in float64."""
    f = irr.FunctionalSymmetricContraction("0e+1o+2e", (1, 2, 3), "0e+1o")
    x = jnp.asarray(np.cos(np.arange(18.0)).reshape(2, 9))
    weights = {
        p.name: jnp.asarray(np.sin(np.arange(2.0 * p.multiplicity).reshape(p.multiplicity, 2) + p.order))
        for p in f.weights
    }
    assert {name: w.shape for name, w in weights.items()} == GOLDEN_SHAPES
    np.testing.assert_allclose(f(weights, ic.IrrepsArray("0e+1o+2e", x)).array, GOLDEN, rtol=1e-13)


GOLDEN_SHAPES = {"w1_0e": (1, 2), "w1_1o": (1, 2), "w2_0e": (3, 2), "w2_1o": (2, 2), "w3_0e": (5, 2), "w3_1o": (5, 2)}
GOLDEN = [
    [0.8510155915830718, 1.0133889695972305, -0.0843737729746836, -1.8613858866844268],
    [-0.9062679883440655, -0.6391732286096802, 0.14881981703695737, 0.7484011201459264],
]


def test_projection_of_other_bases() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    rng, x = np.random.default_rng(3), data(4)
    for path in f.weights:
        basis = dense(IRREPS, path.order)[path.irrep]
        mixed = np.einsum("...ck,cm->...mk", basis, rng.normal(size=(path.multiplicity, path.multiplicity + 1)))
        if path.order > 1:  # what is antisymmetric makes no difference
            noise = rng.normal(size=mixed.shape)
            mixed = mixed + noise - noise.swapaxes(0, 1)
        theirs = rng.normal(size=(path.multiplicity + 1, CHANNELS))
        letters = "ijk"[: path.order]
        formula = f"{letters}zy,zc,{','.join(f'...c{i}' for i in letters)}->...cy"
        expected = jnp.einsum(formula, mixed, theirs, *(x,) * path.order)
        weights = jax.tree.map(jnp.zeros_like, weights_of(f))
        weights[path.name] = f.projection(path.order, path.irrep, mixed) @ theirs
        y = f(weights, ic.IrrepsArray(IRREPS, x)).filter([path.irrep]).array
        np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-11)


def test_many_monomials_are_no_dense_tensors() -> None:
    f = irr.FunctionalSymmetricContraction("0e+1o+2e+3o", (4,), "0e")
    x = jax.ShapeDtypeStruct((2, 4, 16), jnp.float64)
    w = jax.ShapeDtypeStruct((f.num_weights, 4), jnp.float64)
    text = jax.jit(lambda w, x: f(w, ic.IrrepsArray("0e+1o+2e+3o", x)).array).lower(w, x).as_text()
    sizes = [math.prod(map(int, shape.split("x")[:-1])) for shape in _shapes(text)]
    assert max(sizes) < 16**4 * f.num_weights


def _shapes(text: str) -> list[str]:
    return [part.split(">")[0] for part in text.split("tensor<")[1:] if part[0].isdigit()]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irr.FunctionalSymmetricContraction("1o", (0, 1)), "orders must be different positive integers"),
        (lambda: irr.FunctionalSymmetricContraction("1o", (2, 2)), "orders must be different positive integers"),
        (lambda: irr.FunctionalSymmetricContraction("1o", ()), "orders must be different positive integers"),
        (lambda: irr.FunctionalSymmetricContraction("1o", (1, 2), "0e+3o"), "3o cannot be made of 1x1o"),
        (lambda: _call({}, data(2)), "expected weights"),
        (lambda: _call(jnp.ones((4, CHANNELS)), data(2)), r"weights must have shape \(2, 3\), got \(4, 3\)"),
        (lambda: _call({"w1_0e": jnp.ones((1, 3)), "w2_0e": jnp.ones((5, 3))}, data(2)), "w2_0e must have shape"),
        (lambda: _call(jnp.ones((2, CHANNELS)), data(2)[0, 0]), "x must have shape"),
        (lambda: _call(jnp.ones((5, 2, CHANNELS)), data(2), jnp.zeros(3, int)), r"index must have shape \(2,\)"),
        (lambda: _call(jnp.ones((5, 2, CHANNELS)), data(2)), "weights must have shape"),
        (lambda: _scalars().split_weights(jnp.ones((3, 4))), r"\(..., 2, channels\)"),
        (lambda: _scalars().projection(2, "0o", np.ones((4, 4, 1, 1))), "there are no weights w2_0o"),
        (lambda: _scalars().projection(2, "0e", np.ones((4, 1, 1))), "basis must have shape"),
        (lambda: _scalars().projection(2, "0e", np.ones((4, 4, 1, 1))), "does not consist of equivariant polynomials"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def _scalars() -> irr.FunctionalSymmetricContraction:
    return irr.FunctionalSymmetricContraction("0e+1o", (2,), "0e")


def _call(weights: Any, x: jax.Array, index: Any = None) -> Any:
    f = (
        irr.FunctionalSymmetricContraction("0e+2e", (1, 2), "0e")
        if isinstance(weights, dict) and weights
        else _scalars()
    )
    return f(weights, ic.IrrepsArray(f.irreps_in, x[..., : f.irreps_in.dim]), index)
