"""Products and linear maps of irreps_ops have the numbers of e3nn-jax, where it is installed, for all their options."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr

e3nn = pytest.importorskip("e3nn_jax")

F = jnp.float64
CLOSE = {"rtol": 1e-13, "atol": 1e-13}
# Compiled without optimization, which takes longer than a single run; run eagerly, each operation would be compiled.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def theirs(x):
    return e3nn.IrrepsArray(str(x.irreps), x.array)


def data(irreps, seed, shape=()):
    irreps = irr.Irreps(irreps)
    return irr.IrrepsArray(irreps, jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, irreps.dim)), F))


@pytest.mark.parametrize("normalization", ["component", "norm"])
@pytest.mark.parametrize("regroup_output", [True, False])
@pytest.mark.parametrize("keep", [None, "0e + 1o + 2e"])
@pytest.mark.parametrize(("a", "b"), [("2x0e + 1o", "1o + 2e"), ("3e + 2x1e + 0o", "2o + 2x1o"), ("1o", "4x1o")])
def test_tensor_product(a, b, keep, regroup_output, normalization):
    x, y = data(a, 1, (2, 1)), data(b, 2, (3,))
    options = {"filter_ir_out": keep, "irrep_normalization": normalization, "regroup_output": regroup_output}
    ours = compiled(partial(irr.tensor_product, **options))(x, y)
    options_of_theirs = options | {"filter_ir_out": keep and [ir for _, ir in e3nn.Irreps(keep)]}
    expected = compiled(partial(e3nn.tensor_product, **options_of_theirs))(theirs(x), theirs(y))
    assert repr(ours.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(ours.array, expected.array, **CLOSE)
    assert repr(irr.tensor_product(a, b, **options)) == repr(ours.irreps)


@pytest.mark.parametrize("normalization", ["component", "norm", "none"])
@pytest.mark.parametrize("normalized_input", [False, True])
@pytest.mark.parametrize("regroup_output", [True, False])
def test_tensor_square(normalization, normalized_input, regroup_output):
    x = data("2x0e + 2x1o + 1e + 1o", 1, (2,))
    options = {
        "irrep_normalization": normalization,
        "normalized_input": normalized_input,
        "regroup_output": regroup_output,
    }
    ours = compiled(partial(irr.tensor_square, **options))(x)
    expected = compiled(partial(e3nn.tensor_square, **options))(theirs(x))
    assert repr(ours.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(ours.array, expected.array, rtol=1e-12, atol=1e-12)


INSTRUCTIONS = [
    (0, 0, 0, "uvw", True),
    (1, 1, 0, "uvw", True, 2.0),
    (0, 1, 1, "uvv", True),
    (1, 0, 2, "uvu", True),
    (1, 0, 2, "uvu", False),
    (1, 1, 3, "uuw", True),
    (1, 1, 4, "uuu", True),
    (1, 0, 5, "uvuv", False),
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"irrep_normalization": "norm", "path_normalization": "path"},
        {"gradient_normalization": "element"},
        {
            "path_normalization": 0.4,
            "gradient_normalization": 0.7,
            "in1_var": [2.0, 0.5],
            "out_var": [1, 2, 3, 4, 5, 6],
        },
    ],
)
def test_functional_tensor_product(options):
    legacy = pytest.importorskip("e3nn_jax.legacy")
    irreps = ("3x0e + 2x1o", "3x0e + 2x1o", "4x0e + 2x1o + 2x1o + 5x2e + 2x1e + 6x1o")
    ours = irr.FunctionalTensorProduct(*irreps, INSTRUCTIONS, **options)
    expected = legacy.FunctionalTensorProduct(*map(e3nn.Irreps, irreps), INSTRUCTIONS, **options)
    for a, b in zip(ours.couplings, expected.instructions, strict=True):
        assert a.path_shape == b.path_shape
        if b.has_weight:
            np.testing.assert_allclose([a.path_weight, a.weight_std], [b.path_weight, b.weight_std])
    x, y = data(irreps[0], 1, (4,)), data(irreps[1], 2, (4,))
    w = [np.random.default_rng(i).normal(size=ins.path_shape) for i, ins in enumerate(ours.weighted)]
    found = compiled(jax.vmap(lambda x, y: expected.left_right(w, x, y)))(theirs(x), theirs(y))
    np.testing.assert_allclose(compiled(ours)(w, x, y).array, found.array, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalization", ["component", "norm"])
@pytest.mark.parametrize(("a", "b"), [("2x1o + 0e", "0e + 1o + 1e"), ("3x2e", "1e + 2x0o"), ("3x0e", "3x4o")])
def test_elementwise_tensor_product(a, b, normalization):
    x, y = data(a, 1, (2,)), data(b, 2, (2,))
    ours = compiled(partial(irr.elementwise_tensor_product, irrep_normalization=normalization))(x, y)
    product = compiled(partial(e3nn.elementwise_tensor_product, irrep_normalization=normalization))
    expected = product(theirs(x), theirs(y))
    assert repr(ours.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(ours.array, expected.array, **CLOSE)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path_normalization": "path"},
        {"gradient_normalization": "element"},
        {"path_normalization": 0.3, "gradient_normalization": 0.6, "biases": True},
        {"biases": [True, False, True]},
        {"instructions": [(2, 2), (1, 1), (0, 2)]},
    ],
)
def test_functional_linear(options):
    a, b = "2x0e + 1o + 3x0e", "0e + 2x1o + 4x0e"
    ours, other = (
        irr.FunctionalLinear(a, b, **options),
        e3nn.FunctionalLinear(e3nn.Irreps(a), e3nn.Irreps(b), **options),
    )
    fields = ("i_in", "i_out", "path_shape", "path_weight", "weight_std")
    assert [[getattr(p, f) for f in fields] for p in ours.weights] == [
        [pytest.approx(getattr(p, f)) if f in fields[3:] else getattr(p, f) for f in fields] for p in other.instructions
    ]
    assert ours.num_weights == other.num_weights
    np.testing.assert_array_equal(ours.output_mask, other.output_mask)
    x = data(a, 1)
    ws = [np.random.default_rng(i).normal(size=p.path_shape) for i, p in enumerate(ours.weights)]
    # The biases of e3nn-jax have no component axis and cannot be added to its output: they are added here.
    unbiased = e3nn.FunctionalLinear(e3nn.Irreps(a), e3nn.Irreps(b), **(options | {"biases": False}))
    maps = [w for w, p in zip(ws, ours.weights, strict=True) if p.i_in != -1]
    expected = np.asarray(x.array) @ np.asarray(compiled(unbiased.matrix)(maps))
    for w, p in zip(ws, ours.weights, strict=True):
        if p.i_in == -1:
            expected[ours.irreps_out.slices()[p.i_out]] += w
    np.testing.assert_allclose(compiled(ours)(ws, x).array, expected, **CLOSE)


@pytest.mark.parametrize(
    ("irreps", "orders", "keep"),
    [
        ("0e + 1o + 2e", (1, 2, 3), "0e + 1o"),
        ("1o", (2, 3), None),
        ("2x1o + 0e", (3,), "1o + 2e"),
        ("1o + 0e", (4,), "0e"),
    ],
)
def test_symmetric_contraction(irreps, orders, keep):
    hk = pytest.importorskip("haiku")
    x = data(irreps, 1, (2, 3))
    module = hk.transform(lambda x: e3nn.haiku.SymmetricTensorProduct(orders, keep)(x))
    (weights,) = compiled(module.init)(jax.random.key(0), theirs(x)).values()
    f = irr.FunctionalSymmetricContraction(irreps, orders, keep)
    assert {name: w.shape for name, w in weights.items()} == {p.name: (p.multiplicity, 3) for p in f.weights}
    expected = compiled(lambda w, x: module.apply({"symmetric_tensor_product": w}, None, x))(weights, theirs(x))
    ours = compiled(f)(weights, x)
    assert repr(ours.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(ours.array, expected.array, rtol=1e-11, atol=1e-11)
