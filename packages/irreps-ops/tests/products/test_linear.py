"""The functional linear map: its definition, Schur's lemma, its normalization, weights of every shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

MAPS = {
    "plain": ("2x0e + 1o", "3x0e + 2x1o", {}),
    "biased": ("0e + 2x0e + 1o", "0e + 1o + 3x0e", {"biases": True}),
    "path": ("2x1e + 0o + 3x1e", "1e + 2x1e + 2e", {"path_normalization": "path"}),
    "instructions": ("0e + 1o + 0e", "0e + 1o", {"instructions": [(2, 0), (1, 1)], "biases": [True, False]}),
    "mixed": ("2x0e + 1o", "0e + 1o", {"path_normalization": 0.3, "gradient_normalization": "element"}),
    "nothing": ("0e + 1o", "2e", {}),
    "bias alone": ("", "0e", {"biases": True}),
    "no channels": ("0x0e + 1o", "0e + 1o", {}),
}
MIRROR = -ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4]))


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def weights_of(f, leading=()):
    return [random(*leading, *w.path_shape, seed=n) for n, w in enumerate(f.weights)]


def brute_force(f, arrays, x):
    """y[w, k] = sum over weights of path_weight sum_u W[u, w] x[u, k], with NumPy loops for one element."""
    out = [np.zeros((item.mul, item.ir.dim)) for item in f.irreps_out]
    places = zip(f.irreps_in, f.irreps_in.slices(), strict=True)
    chunks = [x[place].reshape(item.mul, item.ir.dim) for item, place in places]
    for w, array in zip(f.weights, arrays, strict=True):
        for v in range(f.irreps_out[w.i_out].mul):
            if w.i_in == -1:
                out[w.i_out][v] += array[v]
                continue
            for u in range(f.irreps_in[w.i_in].mul):
                out[w.i_out][v] += w.path_weight * array[u, v] * chunks[w.i_in][u]
    return np.concatenate([np.zeros(0), *(o.ravel() for o in out)])


@pytest.fixture(scope="module")
def evaluated():
    """Each map applied to data and to the mirrored data, in every form, by one compiled program."""
    found = {}
    for name, (irreps_in, irreps_out, options) in MAPS.items():
        f = irr.FunctionalLinear(irreps_in, irreps_out, **options)
        x = ic.IrrepsArray(irreps_in, random(f.irreps_in.dim))
        found[name] = f, weights_of(f), ic.stack([x, x.transform_by_matrix(MIRROR)])
    functions = {name: f for name, (f, _, _) in found.items()}

    @jax.jit
    def evaluate(arguments):
        def forms(f, ws, x):
            flat = jnp.concatenate([jnp.zeros(0), *(jnp.ravel(w) for w in ws)])
            return f(ws, x), f(flat, x), f(ws, 0 * x), f.matrix(ws)

        return {name: forms(functions[name], *args) for name, args in arguments.items()}

    results = jax.tree.map(np.asarray, evaluate({name: (ws, x) for name, (_, ws, x) in found.items()}))
    return {name: (*found[name], *results[name]) for name in MAPS}


@pytest.mark.parametrize("name", MAPS)
def test_it_is_its_definition(evaluated, name):
    f, ws, x, y, from_flat, at_zero, matrix = evaluated[name]
    assert y.irreps == f.irreps_out
    np.testing.assert_allclose(y.array, [brute_force(f, ws, row) for row in x.array], atol=1e-14)
    assert f.num_weights == sum(w.size for w in ws)
    np.testing.assert_array_equal(from_flat.array, y.array)
    np.testing.assert_allclose(y.array - at_zero.array, x.array @ matrix, atol=1e-14)


@pytest.mark.parametrize("name", MAPS)
def test_it_is_equivariant(evaluated, name):
    _, _, _, y, *_ = evaluated[name]
    np.testing.assert_allclose(y.array[1], y[0].transform_by_matrix(MIRROR).array, atol=1e-13)


@pytest.mark.parametrize("name", MAPS)
def test_the_output_is_zero_where_no_weights_lead(evaluated, name):
    f, _, _, y, *_ = evaluated[name]
    assert f.output_mask.shape == (f.irreps_out.dim,)
    np.testing.assert_array_equal(y.array[:, ~f.output_mask], 0)


def test_schur_no_other_equivariant_map():
    """The matrices that commute with the group have as many dimensions as there are weights."""
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
    """Var y = sum over weights of mul_in (path_weight weight_std)^2, since weights and inputs are independent."""
    f = irr.FunctionalLinear(
        "4x0e + 3x1o + 2x0e + 0e",
        "2x0e + 1o + 5x0e",
        path_normalization=path_normalization,
        gradient_normalization=gradient_normalization,
    )
    for i_out in range(len(f.irreps_out)):
        weights = [w for w in f.weights if w.i_out == i_out]
        shares = [f.irreps_in[w.i_in].mul * (w.path_weight * w.weight_std) ** 2 for w in weights]
        assert sum(shares) == pytest.approx(1)
        if path_normalization == "path":
            assert shares == pytest.approx([1 / len(weights)] * len(weights))
        if path_normalization in ("element", None):
            total = sum(f.irreps_in[w.i_in].mul for w in weights)
            assert shares == pytest.approx([f.irreps_in[w.i_in].mul / total for w in weights])
    if gradient_normalization in ("path", None):
        assert all(w.weight_std == 1 for w in f.weights)
    if gradient_normalization == "element":
        assert all(w.path_weight == 1 for w in f.weights)


def test_elements_of_the_batch_may_have_weights_of_their_own():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 2x1o", biases=True)
    x = random(3, 5, 5)
    leading = [(3, 5), (5,), (3, 1), (1, 1), (1, 5)]
    own = [weights_of(f, shape) for shape in leading]
    own.append([random(*shape, *w.path_shape) for shape, w in zip([(3, 5), (3, 1), (5,)], f.weights, strict=True)])

    @jax.jit
    def evaluate(own, x):
        return [f(ws, ic.IrrepsArray("2x0e + 1o", x)).array for ws in own]

    for ws, y in zip(own, evaluate(own, x), strict=True):
        assert y.shape == (3, 5, 7)
        each = [np.broadcast_to(w, (3, 5, *about.path_shape)) for w, about in zip(ws, f.weights, strict=True)]
        for i in np.ndindex(3, 5):
            np.testing.assert_allclose(y[i], brute_force(f, [w[i] for w in each], x[i]), atol=1e-14)


def test_weights_may_have_axes_that_the_data_lacks():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 2x1o", biases=True)
    one = ic.IrrepsArray("2x0e + 1o", random(5))
    weights, zero = random(4, f.num_weights), ic.zeros("2x0e + 1o", (1,), np.float64)
    y, of_zero = jax.jit(lambda *args: [f(args[0], x) for x in args[1:]])(weights, one, zero)
    np.testing.assert_allclose(y.array, [one.array @ f.matrix(w) + f(w, zero[0]).array for w in weights], atol=1e-14)
    # The batch is as large as the weights, also where the data is known to be zero.
    assert of_zero.shape == (4, 7)
    assert irr.FunctionalLinear("0e", "0e")(jnp.ones((4, 1)), ic.zeros("0e", ())).shape == (4, 1)


def test_known_zeros_are_skipped_and_stay_known():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o + 2e")
    x = ic.IrrepsArray(f.irreps_in, random(5), zero_flags=[True, False])
    assert f(np.ones(3), x).zero_flags == (True, False, True)
    program = jax.make_jaxpr(lambda w: f(w, x).array)(np.ones(3))
    (call,) = [equation for equation in program.eqns if equation.primitive.name == "irreps_polynomial"]
    assert len(call.params["contraction"].polynomial.paths) == 1


def test_it_is_linear_in_data_and_weights_and_works_with_jit_and_vmap():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o", biases=True)
    x, w = random(4, 5), random(f.num_weights)

    def apply(w, x):
        return f(w, ic.IrrepsArray(f.irreps_in, x)).array

    @jax.jit
    def evaluate(w, x):
        forward, reverse = (jacobian(lambda x: apply(w, x))(x[0]) for jacobian in (jax.jacfwd, jax.jacrev))
        of_weights = jax.jacrev(lambda w: apply(w, x[0]))(w) @ w
        mapped = jax.vmap(apply, (None, 0))(w, x)
        return forward, reverse, f.matrix(w).T, of_weights, mapped, apply(w, x), apply(w, x[:0])

    forward, reverse, matrix, of_weights, mapped, y, empty = evaluate(w, x)
    np.testing.assert_allclose(forward, matrix, atol=1e-15)
    np.testing.assert_allclose(reverse, matrix, atol=1e-15)
    np.testing.assert_allclose(of_weights, y[0], atol=1e-14)
    np.testing.assert_allclose(apply(w, x), y, atol=1e-15)
    np.testing.assert_allclose(mapped, y, atol=1e-15)
    assert empty.shape == (0, 4)


def test_dtypes_are_kept():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o", path_normalization="path")
    x, w = ic.IrrepsArray("2x0e + 1o", random(4, 5)), random(f.num_weights)
    narrow = x.astype(np.float32), w.astype(np.float32)
    with jax.numpy_dtype_promotion("strict"):
        wide, single = jax.jit(lambda *args: [(f(w, x), f.matrix(w)) for x, w in args])((x, w), narrow)
    assert [y.dtype for y in jax.tree.leaves(single)] == [np.float32] * 2
    assert [y.dtype for y in jax.tree.leaves(wide)] == [np.float64] * 2
    np.testing.assert_allclose(single[0].array, wide[0].array, atol=1e-6)


def test_linear_is_the_map_between_all_equal_irreps():
    x = ic.IrrepsArray("2x0e + 1o", random(4, 5))
    f = irr.FunctionalLinear(x.irreps, "0e + 1o", path_normalization="path")
    w = np.arange(1.0, 4.0)
    found, expected = jax.jit(lambda w, x: (irr.linear(x, w, "0e + 1o", path_normalization="path"), f(w, x)))(w, x)
    np.testing.assert_array_equal(found.array, expected.array)


def test_descriptions_are_values():
    one, other = (irr.FunctionalLinear("2x0e + 1o", "0e + 1o") for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one == irr.FunctionalLinear(ic.Irreps("2x0e + 1o"), ["0e", "1o"], biases=False, path_normalization="element")
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
def test_errors_name_the_wrong_part_of_a_description(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        irr.FunctionalLinear(*arguments, **options)


def test_errors_name_wrong_weights_and_data():
    f = irr.FunctionalLinear("2x0e + 1o", "0e + 1o")
    x = ic.IrrepsArray("2x0e + 1o", random(3, 5))
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\), got \(4,\)"):
        f(np.ones(4), x)
    with pytest.raises(ValueError, match="expected 2 arrays of weights, got 1"):
        f([np.ones((2, 1))], x)
    with pytest.raises(ValueError, match=r"w\[0,0\] 2x0e,1x0e must have shape \(\.\.\., 2, 1\), got \(1, 2\)"):
        f([np.ones((1, 2)), np.ones((1, 1))], x)
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        f([np.ones((2,)), np.ones((1, 1))], x)
    with pytest.raises(ValueError, match="1x0e"):
        f(np.ones(3), ic.IrrepsArray("0e + 1o", random(4)))
    with pytest.raises(ValueError, match="shape"):
        f(np.ones((2, 3)), x)
