"""Functions, modules and checks of earlier releases of e3nn-jax, and the defaults that a program may set."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as e3nn
import irreps_core as ic
import irreps_ops as irr
from irreps_compat.e3nn_jax import IrrepsData
from irreps_compat.e3nn_jax._layers import _configured, _earlier
from irreps_compat.e3nn_jax._layers._point_convolution import Convolution
from irreps_compat.e3nn_jax._layers._tensor_square import TensorSquare

KEY = jax.random.key(0)
F = jnp.float64
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
# Compiled without optimization, which takes longer than a single run; run eagerly, each operation would be compiled.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def apply(layer, params, *inputs):
    """Return the output of a layer, compiled as one program."""
    return compiled(lambda params: irr.apply(layer, params, *inputs))(params)


def random_params(layer, *inputs):
    return jax.tree.map(lambda spec: random(1, *spec.shape), irr.bindings.parameter_specs(layer, *inputs))


def test_defaults():
    x = e3nn.IrrepsArray("2x1o", random(0, 6))

    @compiled
    def products():
        given = [e3nn.tensor_product(x, x, irrep_normalization=n).array for n in ("component", "norm")]
        with e3nn.config.using(irrep_normalization="norm", spherical_harmonics_normalization="integral"):
            norm, harmonic = e3nn.tensor_product(x, x).array, e3nn.sh("0e", x.array[:3], True)
        return given, [e3nn.tensor_product(x, x).array, norm], harmonic

    given, default, harmonic = products()
    assert not np.allclose(*given)
    np.testing.assert_array_equal(default, given)
    np.testing.assert_allclose(harmonic, (4 * np.pi) ** -0.5)
    before = e3nn.config("gradient_normalization")
    e3nn.config("gradient_normalization", 0.5)
    assert e3nn.FunctionalLinear("4x0e", "0e").instructions[0].path_weight == 0.5**0.5
    e3nn.config("gradient_normalization", before)
    with pytest.raises(ValueError, match="unknown name"):
        e3nn.config("banana")
    with pytest.raises(ValueError, match="'element', 'path'"):
        e3nn.config("path_normalization", "banana")
    with pytest.raises(ValueError, match="integral"):
        e3nn.config("spherical_harmonics_normalization", "none")


def test_checks_of_functions():
    x = e3nn.IrrepsArray("2x1o + 0e", random(0, 7))
    e3nn.util.test.assert_equivariant(e3nn.norm, KEY, args_in=(x,), atol=1e-5)
    with pytest.raises(AssertionError):
        e3nn.utils.assert_equivariant(lambda x: e3nn.IrrepsArray(x.irreps, abs(x.array)), KEY, "1o")
    e3nn.utils.assert_output_dtype_matches_input_dtype(e3nn.norm, e3nn.IrrepsArray("1o", jnp.ones(3)))
    with pytest.raises(AssertionError, match="float32"):
        e3nn.utils.assert_output_dtype_matches_input_dtype(lambda x: x.astype(F), jnp.ones(3))
    assert e3nn.util.prod([2, 3]) == 6
    twice = e3nn.util.decorators.overload_for_irreps_without_data((0,))(lambda x: (e3nn.concatenate([x, x]), 1))
    assert twice("0e")[0] == "0e + 0e"
    assert e3nn.perm.sign((1, 0)) == -1
    assert e3nn.irrep.l1o == "1o"


def test_checks_of_functions_of_plain_arrays():
    irreps = {"irreps_in": ["0e + 1o", None], "irreps_out": [e3nn.Irreps("1o + 0e")]}
    args = random(0, 5, 4), random(1, 5, 2)

    def swapped(x, scalars):
        return jnp.concatenate([x[:, 1:], x[:, :1] * scalars[:, 1:]], axis=1)

    e3nn.util.test.assert_equivariant(swapped, KEY, args_in=args, **irreps)
    with pytest.raises(AssertionError):
        e3nn.util.test.assert_equivariant(lambda x, s: swapped(x, s) + 1, KEY, args_in=args, **irreps)
    double = e3nn.Irreps("1o")
    e3nn.util.assert_equivariant(lambda x: 2 * x, KEY, irreps_in=double, irreps_out=double, tolerance=1e-12)


def normal_numbers():
    """Points and probabilities that give polynomials of degree four in five normal numbers their mean."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    points = np.array(list(itertools.product(nodes, repeat=5)))
    return points, np.array([np.prod(w) for w in itertools.product(weights / np.sqrt(2 * np.pi), repeat=5)])


def unit_numbers():
    """Likewise for two signs and a vector of length one: corners of the octahedron and of the cube."""
    octahedron, cube = np.concatenate([np.eye(3), -np.eye(3)]), np.array(list(itertools.product([1, -1], repeat=3)))
    vectors = [*[(v, 1 / 15) for v in octahedron], *[(v / 3**0.5, 3 / 40) for v in cube]]
    signs = itertools.product([1, -1], repeat=2)
    points = [([*s, *v], p / 4) for s in signs for v, p in vectors]
    return np.array([x for x, _ in points]), np.array([p for _, p in points])


@pytest.mark.parametrize(("normalization", "numbers"), [("component", normal_numbers), ("norm", unit_numbers)])
def test_squares_with_weights_have_normal_output(normalization, numbers):
    tp = e3nn.FunctionalTensorSquare("2x0e + 1o", "0e + 2x1o + 2e", normalization)
    x, p = numbers()
    weights = np.eye(sum(int(np.prod(ins.path_shape)) for ins in tp.instructions))[:, None]  # one after another
    squares = compiled(tp.left_right)(weights, x[None], x[None]).array
    square = np.einsum("p,wpi->i", p, np.square(squares))
    for place, (_, ir) in zip(tp.irreps_out.slices(), tp.irreps_out, strict=True):
        np.testing.assert_allclose(square[place], 1 if normalization == "component" else 1 / ir.dim, rtol=1e-12)


def test_layer_of_squares():
    layer, x = TensorSquare("2x0e + 2e", irreps_in="2x0e + 1o"), random(0, 3, 5)
    params = random_params(layer, x)
    tp = e3nn.FunctionalTensorSquare("2x0e + 1o", "2x0e + 2e")
    expected = compiled(tp.left_right)(list(params.values()), x, x).contiguous
    found = apply(layer, params, x)
    assert isinstance(found, IrrepsData)
    np.testing.assert_allclose(found.contiguous, expected, **CLOSE)
    with pytest.raises(ValueError, match="'component', 'norm' or 'none'"):
        e3nn.FunctionalTensorSquare("0e", "0e", "element")


def test_modules_made_for_irreps_take_plain_arrays():
    x = random(0, 4, 5)
    for layer, inputs in (
        (_configured.Linear("0e + 1o", irreps_in="2x0e + 1o"), (x,)),
        (_configured.FullyConnectedTensorProduct("1o", irreps_in1="2x0e + 1o", irreps_in2="1o"), (x, x[:, 2:])),
        (_configured.BatchNorm(irreps="2x0e + 1o", instance=True), (x, True)),
        (_configured.Dropout(0.5, irreps="2x0e + 1o"), (KEY, x, False)),
    ):
        irreps = iter(["2x0e + 1o", "1o"])
        data = [e3nn.IrrepsArray(next(irreps), a) if isinstance(a, np.ndarray) else a for a in inputs]
        params = random_params(layer, *data)

        @compiled
        def both(params, layer=layer, inputs=inputs, data=data):
            return [irr.apply(layer, params, *of) for of in (inputs, data)]

        found, expected = both(params)
        assert isinstance(found, IrrepsData)
        assert found.irreps == expected.irreps
        np.testing.assert_allclose(found.array, expected.array, **CLOSE)
    # Arrays for scalars are treated as in the present release.
    norm = _configured.BatchNorm(irreps="5x0e", instance=True, affine=False)
    assert isinstance(jax.eval_shape(lambda: irr.apply(norm, {}, x)), ic.IrrepsArray)


def test_instructions_of_a_linear_layer_count_what_is_not_dropped():
    options = {"irreps_in": "2x0e + 1o", "simplify_irreps_internally": False}
    layer = _configured.Linear("2e + 0e + 1o", instructions=[(1, 1)], **options)
    x = e3nn.IrrepsArray("2x0e + 1o", random(0, 5))
    flags = []

    @compiled
    def mapped(params):
        out = irr.apply(layer, params, x)
        flags.extend(out.zero_flags)
        return out

    out = mapped({"w[1,1] 1x1o,1x1o": np.array([[2.0]])})
    assert (out.irreps, flags) == ("0e + 1o", [True, False])
    np.testing.assert_allclose(out.array, [0, *2 * x.array[2:]], **CLOSE)


def test_convolution_of_voxels_with_steps_to_compute_with():
    args = "0e + 1o", "0e + 1o", 3.0, {0: 2, 1: 1}
    steps = (1.0, 1.0, 1.0)
    x, traced = random(0, 1, 3, 3, 2, 3), np.array([1.0, 1.1, 0.9])
    field = e3nn.IrrepsArray("1o", x)
    present = irr.VoxelConvolution(*args, steps)
    params = random_params(present, field)
    found = apply(_earlier.Convolution(*args, (steps, traced), irreps_in="1o"), params, x)
    np.testing.assert_allclose(found.contiguous, apply(present, params, field, traced).array, **CLOSE)
    found = apply(_earlier.Convolution(*args, steps), params, field)
    np.testing.assert_allclose(found.array, apply(present, params, field).array, **CLOSE)


def test_signals_on_grids_beside_their_values():
    """The functions of e3nn-jax 0.15 and 0.16 agree with those of SphericalSignal."""
    coefficients = e3nn.IrrepsArray(e3nn.s2_irreps(2), random(0, 9))
    signal = e3nn.SphericalSignal(random(3, 6, 5), "soft")
    y, alpha, weights = e3nn.s2grid(6, 5, quadrature="soft")
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(e3nn.s2grid_vectors(y, alpha), signal.grid_vectors, **CLOSE)
    options = {"translation": np.array([1.0, 0.0, 2.0]), "scale_radius_by_amplitude": True}
    padded = e3nn.pad_to_plot_on_s2grid(y, alpha, signal.grid_values, **options)
    expected = compiled(lambda: signal.pad_to_plot(**options))()
    for found, wanted in zip(padded, expected, strict=True):
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, wanted, **CLOSE)
    # A delta function of integral w: its scalar product with f is w f(position).
    positions, w = random(1, 3, 3), random(2, 3)
    diracs = compiled(lambda: e3nn.s2_sum_of_diracs(positions, w, 2, p_val=1, p_arg=-1))()
    values = compiled(lambda: e3nn.to_s2point(coefficients, e3nn.IrrepsArray("1o", positions)))().array[:, 0]
    np.testing.assert_allclose(4 * np.pi * diracs.array @ coefficients.array, w @ values, **CLOSE)
    with pytest.raises(ValueError, match=r"shape \(6, 5\)"):
        e3nn.pad_to_plot_on_s2grid(y, alpha, signal.grid_values.T)
    with pytest.raises(ValueError, match="alpha of shape"):
        e3nn.s2grid_vectors(y, alpha[:, None])


SRC, DST = np.array([0, 1, 2, 0, 3]), np.array([1, 0, 1, 2, 1])


@pytest.mark.parametrize("attributes", [False, True])
def test_convolution_of_points(attributes):
    """Against its definition, edge by edge."""
    out = "2x0e + 1o + 0o"
    layer = Convolution(out, [3], 1.5, mixing=0.2)
    x = e3nn.IrrepsArray("2x0e + 1o", random(0, 4, 5))
    edge_attr, scalars = e3nn.IrrepsArray("0e + 1o", random(1, 5, 4)), random(2, 5, 2)
    node_attr = e3nn.IrrepsArray("2x0e", random(3, 4, 2)) if attributes else None
    inputs = x, SRC, DST, edge_attr, node_attr, scalars
    specs = irr.bindings.parameter_specs(layer, *inputs)
    params = jax.tree.map(lambda spec: random(len(spec.shape), *spec.shape), specs)
    early = [IrrepsData.of(a) if isinstance(a, e3nn.IrrepsArray) else a for a in inputs]
    flags = []

    @compiled
    def convolved(params):
        z, earlier = (irr.apply(layer, params, *of) for of in (inputs, early))
        flags.extend(z.zero_flags)
        return z, earlier

    z, earlier = convolved(params)
    assert (z.irreps, flags) == (out, [False, False, True])
    assert isinstance(earlier, IrrepsData)
    np.testing.assert_array_equal(earlier.array, z.array)

    def mixed(irreps, name, x):
        if node_attr is None:
            return apply(irr.Linear(irreps, force_irreps_out=True), params[f"linear{name}"], x)
        name = f"fully_connected_tensor_product{name}"
        return apply(irr.FullyConnectedTensorProduct(irreps), params[name], x, node_attr)

    mix = np.asarray(mixed(x.irreps + out, "", x).array)
    sent, kept = np.split(mix, [5], axis=1)
    hidden = apply(irr.MultiLayerPerceptron((3,), jax.nn.gelu), params["multi_layer_perceptron"], scalars)

    def chunks(row, first):
        return row[:first].reshape(first, 1), row[first:].reshape(1, 3)

    # 0e 0e -> 0e, 1o 1o -> 0e | 0e 1o -> 1o, 1o 0e -> 1o
    paths = [(0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
    received = np.zeros((4, 12))
    for e, (s, d) in enumerate(zip(SRC, DST, strict=True)):
        parts = []
        for i, j, l in paths:
            name = next(name for name in params if name.startswith(f"w[{i},{j},"))
            w = np.einsum("xuv,x->u", params[name], hidden[e]) / 3**0.5
            product = np.sqrt(2 * l + 1) * np.einsum(
                "u,ui,vj,ijk->uk",
                w,
                chunks(sent[s], 2)[i],
                chunks(np.asarray(edge_attr.array)[e], 1)[j],
                ic.clebsch_gordan(i, j, l),
            )
            parts.append(product.ravel())
        received[d] += np.concatenate(parts) / 1.5**0.5
    messages = e3nn.IrrepsArray("3x0e + 3x1o", received)
    expected = 0.8**0.5 * kept + 0.2**0.5 * mixed(out, "_1", messages).array
    np.testing.assert_allclose(z.array, expected, **CLOSE)


def test_convolution_of_points_refuses_useless_products_and_missing_scalars():
    x, edge_attr = (e3nn.IrrepsArray(irreps, np.ones((n, dim))) for irreps, n, dim in (("0e", 4, 1), ("2e", 5, 5)))
    with pytest.raises(ValueError, match="no product of 1x0e and 1x2e"):
        irr.bindings.parameter_specs(Convolution("1o", [], 1.0), x, SRC, DST, edge_attr)
    with pytest.raises(ValueError, match="edge_scalar_attr"):
        irr.bindings.parameter_specs(Convolution("2e", [4], 1.0), x, SRC, DST, edge_attr)
