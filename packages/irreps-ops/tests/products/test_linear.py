"""The functional linear map: the definition, Schur's lemma, the normalization, weights of every shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

MAPS = [
    ("2x0e + 1o", "3x0e + 2x1o", {}),
    ("0e + 2x0e + 1o", "0e + 1o + 3x0e", {"biases": True}),
    ("2x1e + 0o + 3x1e", "1e + 2x1e + 2e", {"path_normalization": "path"}),
    ("0e + 1o + 0e", "0e + 1o", {"instructions": [(2, 0), (1, 1)], "biases": [True, False]}),
    ("2x0e + 1o", "0e + 1o", {"path_normalization": 0.3, "gradient_normalization": "element"}),
    ("0e + 1o", "2e", {}),
    ("", "0e", {"biases": True}),
    ("0x0e + 1o", "0e + 1o", {}),
]


def weights_of(f, seed=0, rows=(), dtype=jnp.float64):
    keys = jax.random.split(jax.random.key(seed), len(f.weights) + 1)
    return [jax.random.normal(k, (*rows, *path.path_shape), dtype) for k, path in zip(keys, f.weights, strict=False)]


def brute_force(f, ws, x):
    """y[w, k] = sum over paths of path_weight sum_u W[u, w] x[u, k], with NumPy loops for one row."""
    out = [np.zeros((item.mul, item.ir.dim)) for item in f.irreps_out]
    chunks = [np.asarray(c) for c in x.chunks]
    for path, w in zip(f.weights, ws, strict=True):
        for v in range(f.irreps_out[path.i_out].mul):
            if path.i_in == -1:
                out[path.i_out][v] += w[v]
                continue
            for u in range(f.irreps_in[path.i_in].mul):
                out[path.i_out][v] += path.path_weight * float(w[u, v]) * chunks[path.i_in][u]
    return np.concatenate([o.ravel() for o in out]) if out else np.zeros(0)


@pytest.mark.parametrize(("a", "b", "options"), MAPS)
def test_is_its_definition(a, b, options):
    f = irr.FunctionalLinear(a, b, **options)
    x = ic.normal(f.irreps_in, jax.random.key(1), (), dtype=jnp.float64)
    ws = weights_of(f)
    y = f(ws, x)
    assert y.irreps == ic.Irreps(b)
    np.testing.assert_allclose(y.array, brute_force(f, ws, x), atol=1e-14)
    flat = jnp.concatenate([jnp.zeros(0), *(w.ravel() for w in ws)])
    assert flat.shape == (f.num_weights,)
    np.testing.assert_array_equal(f(flat, x).array, y.array)
    np.testing.assert_allclose((f(ws, x) - f(ws, 0 * x)).array, x.array @ f.matrix(ws), atol=1e-14)
    # What no path reaches is zero and known to be.
    np.testing.assert_array_equal(np.asarray(y.array)[~f.output_mask], 0)
    assert f.output_mask.shape == (f.irreps_out.dim,)


@pytest.mark.parametrize(("a", "b", "options"), MAPS)
def test_is_equivariant(a, b, options):
    f = irr.FunctionalLinear(a, b, **options)
    ws = weights_of(f)
    assert_equivariant(lambda x: f(ws, x), jax.random.key(0), a, dtype=jnp.float64)


def test_schur_no_other_equivariant_map():
    """What commutes with the group has as many dimensions as there are weights."""
    irreps = ic.Irreps("2x0e + 1o + 1e + 2e")
    key = np.random.default_rng(0)
    rotation = np.linalg.qr(key.standard_normal((3, 3)))[0]
    group = [np.asarray(irreps.D_from_matrix(s * rotation)) for s in (np.sign(np.linalg.det(rotation)), -1.0)]
    group.append(np.asarray(irreps.D_from_matrix(np.diag([1.0, -1.0, -1.0]))))
    n = irreps.dim
    equations = np.concatenate([np.kron(D, np.eye(n)) - np.kron(np.eye(n), D.T) for D in group])
    assert n * n - np.linalg.matrix_rank(equations) == irr.FunctionalLinear(irreps, irreps).num_weights


@pytest.mark.parametrize("path_normalization", ["element", "path", 0.5, None])
@pytest.mark.parametrize("gradient_normalization", ["element", "path", 0.25, None])
def test_variance_is_one_exactly(path_normalization, gradient_normalization):
    """Var y = sum over paths of mul_in (path_weight weight_std)^2, since weights and inputs are independent."""
    f = irr.FunctionalLinear(
        "4x0e + 3x1o + 2x0e + 0e",
        "2x0e + 1o + 5x0e",
        path_normalization=path_normalization,
        gradient_normalization=gradient_normalization,
    )
    for i_out in range(len(f.irreps_out)):
        paths = [path for path in f.weights if path.i_out == i_out]
        shares = [f.irreps_in[p.i_in].mul * (p.path_weight * p.weight_std) ** 2 for p in paths]
        assert sum(shares) == pytest.approx(1)
        if path_normalization == "path":
            assert shares == pytest.approx([1 / len(paths)] * len(paths))
        if path_normalization in ("element", None):
            total = sum(f.irreps_in[p.i_in].mul for p in paths)
            assert shares == pytest.approx([f.irreps_in[p.i_in].mul / total for p in paths])
    if gradient_normalization in ("path", None):
        assert all(p.weight_std == 1 for p in f.weights)
    if gradient_normalization == "element":
        assert all(p.path_weight == 1 for p in f.weights)


def test_rows_may_have_weights_of_their_own():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 2x1o", biases=True)
    x = ic.normal("2x0e + 1o", jax.random.key(1), (3, 5), dtype=jnp.float64)
    for rows in [(3, 5), (5,), (3, 1)]:
        ws = weights_of(f, rows=rows)
        each = [jnp.broadcast_to(w, (3, 5, *path.path_shape)) for w, path in zip(ws, f.weights, strict=True)]
        y = f(ws, x)
        assert y.shape == (3, 5, 7)
        np.testing.assert_allclose(y[1, 2].array, f([w[1, 2] for w in each], x[1, 2]).array, atol=1e-15)
    rows_of_weights = f(jnp.ones((4, f.num_weights)), x[0, 0])
    assert rows_of_weights.shape == (4, 7)
    # Whatever is known to be zero, the rows are as many as there are weights.
    assert f(jnp.ones((4, f.num_weights)), ic.zeros("2x0e + 1o", (1,))).shape == (4, 7)
    assert irr.FunctionalLinear("0e", "0e")(jnp.ones((4, 1)), ic.zeros("0e", ())).shape == (4, 1)


def test_zeros_are_known_and_skipped():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o + 2e")
    x = ic.concatenate([ic.zeros("2x0e", (), jnp.float64), ic.normal("1o", jax.random.key(0), (), dtype=jnp.float64)])
    y = f(jnp.ones(3), x)
    assert y.zero_flags == (True, False, True)


def test_derivatives_and_transformations():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o", biases=True)
    x = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float64)
    w = jax.random.normal(jax.random.key(2), (f.num_weights,), jnp.float64)
    matrix = f.matrix(w)
    jacobian = jax.jacfwd(lambda a: f(w, ic.IrrepsArray(x.irreps, a)).array)(x.array[0])
    np.testing.assert_allclose(jacobian, matrix.T, atol=1e-15)
    np.testing.assert_allclose(
        jax.jacrev(lambda a: f(w, ic.IrrepsArray(x.irreps, a)).array)(x.array[0]), matrix.T, atol=1e-15
    )
    np.testing.assert_allclose(
        jax.jacrev(lambda w: f(w, x[0]).array)(w) @ w, f(w, x[0]).array, atol=1e-14
    )  # linear in the weights
    np.testing.assert_allclose(jax.jit(f)(w, x).array, f(w, x).array, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(f, (None, 0))(w, x).array, f(w, x).array, atol=1e-15)
    assert f(w, x[:0]).shape == (0, 4)


def test_dtypes():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o", path_normalization="path")
    x = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float64)
    with jax.numpy_dtype_promotion("strict"):
        for dtype in (jnp.float32, jnp.float64):
            assert f(jnp.ones(f.num_weights, dtype), x.astype(dtype)).dtype == dtype
            assert f.matrix(jnp.ones(f.num_weights, dtype)).dtype == dtype
    np.testing.assert_allclose(
        f(jnp.ones(f.num_weights, jnp.float32), x.astype(jnp.float32)).array,
        f(jnp.ones(f.num_weights), x).array,
        atol=1e-6,
    )


def test_linear_is_the_map_of_its_input():
    x = ic.normal("2x0e + 1o", jax.random.key(1), (4,), dtype=jnp.float64)
    f = irr.FunctionalLinear(x.irreps, "0e + 1o", path_normalization="path")
    w = jnp.arange(1.0, 4.0)
    np.testing.assert_array_equal(irr.linear(x, w, "0e + 1o", path_normalization="path").array, f(w, x).array)


def test_descriptions_are_values():
    one, other = (irr.FunctionalLinear("2x0e + 1o", "0e + 1o") for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != irr.FunctionalLinear("2x0e + 1o", "0e + 1o", path_normalization="path", biases=True)
    with pytest.raises(ValueError, match="read-only"):
        one.output_mask[0] = False
    with pytest.raises(AttributeError):
        one.irreps_in = ic.Irreps("0e")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("0e", "1o"), {"instructions": [(0, 0)]}, r"\(0, 0\) connects 0e with 1o"),
        (("0e", "0e"), {"instructions": [(0, 1)]}, r"\(0, 1\) does not exist"),
        (("0e", "0e"), {"instructions": [(-1, 0)]}, r"\(-1, 0\) does not exist"),
        (("0e", "0e + 1o"), {"biases": [True]}, "expected 2 biases"),
        (("0e", "0e + 1o"), {"biases": [False, True]}, "a bias on 1o"),
        (("0o", "0o"), {"biases": [True]}, "a bias on 0o"),
        (("0e", "0e"), {"path_normalization": "banana"}, "'banana'"),
        (("0e", "0e"), {"gradient_normalization": 1.5}, r"1\.5"),
        (("0e", "0e"), {"gradient_normalization": True}, "True"),
        (("0e", "0q"), {}, "0q"),
    ],
)
def test_bad_descriptions_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        irr.FunctionalLinear(*arguments, **options)


def test_bad_weights_and_data_are_named():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o")
    x = ic.normal("2x0e + 1o", jax.random.key(1), (3,))
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\), got \(4,\)"):
        f(jnp.ones(4), x)
    with pytest.raises(ValueError, match="expected 2 arrays of weights, got 1"):
        f([jnp.ones((2, 1))], x)
    with pytest.raises(ValueError, match=r"w\[0,0\] 2x0e,1x0e must have shape \(\.\.\., 2, 1\), got \(1, 2\)"):
        f([jnp.ones((1, 2)), jnp.ones((1, 1))], x)
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        f([jnp.ones((2,)), jnp.ones((1, 1))], x)
    with pytest.raises(ValueError, match="1x0e"):
        f(jnp.ones(3), ic.normal("0e + 1o", jax.random.key(1)))
    with pytest.raises(ValueError, match="shape"):
        f(jnp.ones((2, 3)), x)
