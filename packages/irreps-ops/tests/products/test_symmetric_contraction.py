"""Symmetric contraction against its definition with dense symmetric tensors, and values of e3nn-jax."""

import itertools
import math
import re
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

# Irreps of x, orders, irreps of the output, leading axes.
CASES = {
    "all orders": (IRREPS, (1, 2, 3), "0e+1o", (4,)),
    "one order": (IRREPS, (3,), None, ()),
    "unsorted": (IRREPS, (2, 1), ["1o", Irrep("2e")], (2, 2)),
    "order 4": ("1o", (4,), "0e", (2,)),
    "multiplicities": ("2x1o+0o", (2, 3), "1e+0o", (2,)),
    "empty": (IRREPS, (1, 3), "1o", (0,)),
}


def weights_of(
    f: irr.FunctionalSymmetricContraction, shape: tuple[int, ...] = (), seed: int = 1
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {w.name: rng.normal(size=(*shape, w.multiplicity, CHANNELS)) for w in f.weights}


def data(*shape: int, irreps: str = IRREPS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, CHANNELS, Irreps(irreps).dim))


def by_definition(f: irr.FunctionalSymmetricContraction, weights: dict[str, Any], x: Any, xp: Any = np) -> Any:
    """The sum with dense tensors; weights of shape (..., multiplicity, channels)."""
    out: dict[Irrep, Any] = {ir: 0.0 for _, ir in f.irreps_out}
    for w in f.weights:
        tensor = dense(str(f.irreps_in), w.order)[w.irrep]
        letters = "ijklm"[: w.order]
        formula = f"{letters}zy,...zc,{','.join(f'...c{i}' for i in letters)}->...cy"
        out[w.irrep] += xp.einsum(formula, tensor, weights[w.name], *(x,) * w.order) / w.multiplicity
    return xp.concatenate([out[ir] for _, ir in f.irreps_out], axis=-1)


@pytest.fixture(scope="module")
def contracted() -> dict[str, tuple[Any, ...]]:
    """For each case the contraction, its weights, data, and results of each way to call it; compiled once."""
    functions = {
        name: irr.FunctionalSymmetricContraction(irreps, orders, keep)
        for name, (irreps, orders, keep, _) in CASES.items()
    }
    inputs = {name: (weights_of(f), data(*CASES[name][3], irreps=CASES[name][0])) for name, f in functions.items()}

    @jax.jit
    def contract(inputs: Any) -> Any:
        def forms(name: str, weights: Any, x: Any) -> Any:
            irreps, orders, keep, _ = CASES[name]
            x, joined = ic.IrrepsArray(irreps, x), functions[name].join_weights(weights)
            again = irr.symmetric_contraction(x, joined, orders, keep_irrep_out=keep)
            return functions[name](weights, x), again, joined, functions[name].split_weights(joined)

        return {name: forms(name, *arguments) for name, arguments in inputs.items()}

    found = contract(inputs)
    return {name: (functions[name], *inputs[name], *found[name]) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_definition(contracted: Any, name: str) -> None:
    f, weights, x, y, again, *_ = contracted[name]
    assert y.irreps == f.irreps_out
    close(y.array, by_definition(f, weights, x))
    np.testing.assert_array_equal(again.array, y.array)


@pytest.mark.parametrize("name", CASES)
def test_weights_are_joined_and_split(contracted: Any, name: str) -> None:
    f, weights, *_, joined, split = contracted[name]
    assert joined.shape == (f.num_weights, CHANNELS)
    assert set(split) == set(weights)
    for key, array in split.items():
        np.testing.assert_array_equal(array, weights[key])


def test_each_species_has_its_own_weights() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    weights, x, index = weights_of(f, (3,)), data(2, 3), np.array([[0, 2, 1], [2, 3, -1]])
    mine = {name: np.take(w, index, axis=0, mode="clip") for name, w in weights.items()}
    known = ((index >= 0) & (index < 3))[..., None, None]  # others have no weights
    y = jax.jit(lambda weights, x: f(weights, ic.IrrepsArray(IRREPS, x), index).array)(weights, x)
    close(y, np.where(known, by_definition(f, mine, x), 0))


@pytest.mark.parametrize("species", [False, True])
def test_derivatives_are_those_of_the_definition(species: bool) -> None:
    """To second order, as in training on forces: the gradient of a loss on the gradient with respect to x."""
    f = irr.FunctionalSymmetricContraction("0e+1o", (1, 2, 3), "0e+1o")
    index = np.array([1, 0, 1, 1])
    weights, x = weights_of(f, (2,) if species else ()), data(4, irreps="0e+1o")

    def ours(w: Any, x: Any) -> jax.Array:
        return f(w, ic.IrrepsArray("0e+1o", x), index if species else None).array

    def expected(w: Any, x: Any) -> jax.Array:
        return by_definition(f, jax.tree.map(lambda a: a[index], w) if species else w, x, jnp)

    def derivatives(function: Callable[..., jax.Array], w: Any, x: Any) -> Any:
        def energy(w: Any, x: Any) -> jax.Array:
            return jnp.sum(jnp.sin(function(w, x)))

        def force_loss(w: Any, x: Any) -> jax.Array:
            return jnp.sum(jnp.cos(jax.grad(energy, argnums=1)(w, x)))

        return jax.jvp(function, (w, x), (w, x)), jax.grad(energy, (0, 1))(w, x), jax.grad(force_loss, (0, 1))(w, x)

    a, b = jax.jit(lambda w, x: (derivatives(ours, w, x), derivatives(expected, w, x)))(weights, x)
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_vmap_over_data_and_weights_and_float32() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    weights, x = weights_of(f), data(2, 5)
    narrow = jax.tree.map(lambda a: a.astype(np.float32), (weights, x))
    twice = jax.tree.map(lambda w: np.stack([w, 2 * w]), weights)

    def ours(w: Any, x: Any) -> jax.Array:
        return f(w, ic.IrrepsArray(IRREPS, x)).array

    @jax.jit
    def evaluate(weights: Any, twice: Any, x: Any, narrow: Any) -> Any:
        return jax.vmap(ours, (None, 0))(weights, x), jax.vmap(ours)(twice, x), ours(*narrow)

    with jax.numpy_dtype_promotion("strict"):
        of_data, of_both, single = evaluate(weights, twice, x, narrow)
    expected = by_definition(f, weights, x)
    close(of_data, expected)
    close(of_both, expected * np.array([1.0, 2.0])[:, None, None, None])
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=2e-5, atol=2e-5)


def test_it_is_equivariant() -> None:
    f = irr.FunctionalSymmetricContraction("0e+1o+2o", (1, 2, 3), "0e+1o+1e+2o")
    weights, x = weights_of(f), data(4, irreps="0e+1o+2o")
    turns = [[irreps.D_from_angles(0.3, 1.1, -2.0, k) for irreps in (f.irreps_in, f.irreps_out)] for k in (0, 1)]
    inputs = np.stack([x, *(x @ before.T for before, _ in turns)])
    y, *turned = jax.jit(lambda w, x: f(w, ic.IrrepsArray("0e+1o+2o", x)).array)(weights, inputs)
    for (_, after), found in zip(turns, turned, strict=True):
        close(found, y @ after.T)


def test_values_are_those_of_e3nn_jax() -> None:
    """Computed by ``e3nn.haiku.SymmetricTensorProduct`` of e3nn-jax 0.21 in float64."""
    f = irr.FunctionalSymmetricContraction("0e+1o+2e", (1, 2, 3), "0e+1o")
    x = np.cos(np.arange(18.0)).reshape(2, 9)
    weights = {w.name: np.sin(np.arange(2.0 * w.multiplicity).reshape(w.multiplicity, 2) + w.order) for w in f.weights}
    assert {name: w.shape for name, w in weights.items()} == GOLDEN_SHAPES
    np.testing.assert_allclose(f(weights, ic.IrrepsArray("0e+1o+2e", x)).array, GOLDEN, rtol=1e-13)


GOLDEN_SHAPES = {"w1_0e": (1, 2), "w1_1o": (1, 2), "w2_0e": (3, 2), "w2_1o": (2, 2), "w3_0e": (5, 2), "w3_1o": (5, 2)}
GOLDEN = [
    [0.8510155915830718, 1.0133889695972305, -0.0843737729746836, -1.8613858866844268],
    [-0.9062679883440655, -0.6391732286096802, 0.14881981703695737, 0.7484011201459264],
]


def test_weights_of_other_bases_are_projected() -> None:
    f = irr.FunctionalSymmetricContraction(IRREPS, (1, 2, 3), "0e+1o")
    rng, x = np.random.default_rng(3), data(4)
    projected, expected = [], []
    for w in f.weights:
        basis = dense(IRREPS, w.order)[w.irrep]
        mixed = np.einsum("...ck,cm->...mk", basis, rng.normal(size=(w.multiplicity, w.multiplicity + 1)))
        if w.order > 1:  # antisymmetric parts make no difference
            noise = rng.normal(size=mixed.shape)
            mixed = mixed + noise - noise.swapaxes(0, 1)
        theirs = rng.normal(size=(w.multiplicity + 1, CHANNELS))
        letters = "ijk"[: w.order]
        formula = f"{letters}zy,zc,{','.join(f'...c{i}' for i in letters)}->...cy"
        expected.append(np.einsum(formula, mixed, theirs, *(x,) * w.order))
        zeros = jax.tree.map(np.zeros_like, weights_of(f))
        projected.append(zeros | {w.name: f.projection(w.order, w.irrep, mixed) @ theirs})
    evaluate = jax.jit(lambda weights, x: f(weights, ic.IrrepsArray(IRREPS, x)))
    for w, weights, theirs in zip(f.weights, projected, expected, strict=True):
        np.testing.assert_allclose(evaluate(weights, x).filter([w.irrep]).array, theirs, rtol=1e-11, atol=1e-11)


def test_polynomials_with_many_monomials_need_no_dense_tensors() -> None:
    f = irr.FunctionalSymmetricContraction("0e+1o+2e+3o", (4,), "0e")
    x = jax.ShapeDtypeStruct((2, 4, 16), jnp.float64)
    w = jax.ShapeDtypeStruct((f.num_weights, 4), jnp.float64)
    text = jax.jit(lambda w, x: f(w, ic.IrrepsArray("0e+1o+2e+3o", x)).array).lower(w, x).as_text()
    sizes = [math.prod(map(int, shape.split("x")[:-1])) for shape in _shapes(text)]
    assert max(sizes) < 16**4 * f.num_weights


def _shapes(text: str) -> list[str]:
    return re.findall(r"tensor<((?:\d+x)+)", text)


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
def test_errors_name_the_wrong_argument(call: Callable[[], Any], message: str) -> None:
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
