"""The layer Linear in each of its modes, against loops over rows, channels and paths."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_core.testing import assert_equivariant

F = jnp.float64
IRREPS = "2x0e + 1o + 0e"
X = ic.normal(IRREPS, jax.random.key(1), (3, 4), dtype=F)
WEIGHTS = jax.random.normal(jax.random.key(2), (3, 4, 5), F)
INDICES = jnp.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])


def made(layer, *inputs, seed=0):
    """Random parameters (biases, too), and the output."""
    specs = irr.bindings.parameter_specs(layer, *inputs)
    params = {
        name: jax.random.normal(irr.bindings.named_key(jax.random.key(seed), name), spec.shape, spec.dtype)
        for name, spec in specs.items()
    }
    return params, irr.apply(layer, params, *inputs)


def by_rows(f, params, x, weights_of_row):
    """A functional map applied row by row."""
    rows = [
        f([weights_of_row(params[f.parameter_name(p)], i) for p in f.weights], x[i]).array
        for i in np.ndindex(x.shape[:-1])
    ]
    return np.stack(rows).reshape((*x.shape[:-1], -1))


# Modes: options, leading inputs, parameter shape from path shape, weights of a row from a parameter.
MODES = {
    "vanilla": ({}, (), (), lambda w, i: w),
    "mixed": ({}, (WEIGHTS,), (5,), lambda w, i: np.tensordot(WEIGHTS[i] / 5**0.5, w, 1)),
    "indexed": ({"num_indexed_weights": 2}, (INDICES,), (2,), lambda w, i: w[INDICES[i]]),
    "per channel": ({"weights_per_channel": True}, (), (4,), lambda w, i: w[i[1]]),
    "per channel, mixed": (
        {"weights_per_channel": True},
        (WEIGHTS[:, 0],),
        (5, 4),
        lambda w, i: np.tensordot(WEIGHTS[i[0], 0] / 5**0.5, w[:, i[1]], 1),
    ),
    "per channel, indexed": (
        {"weights_per_channel": True, "num_indexed_weights": 2},
        (INDICES[:, 0],),
        (2, 4),
        lambda w, i: w[INDICES[i[0], 0], i[1]],
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"biases": True, "path_normalization": "path"}], ids=["plain", "biased"])
def test_each_mode_is_a_functional_map_for_each_row(mode, options):
    more, inputs, prefix, weights_of_row = MODES[mode]
    layer = irr.Linear("4x0e + 2x1o + 2e", **options, **more)
    params, y = made(layer, *inputs, X)
    f = irr.FunctionalLinear(X.irreps.regroup(), "4x0e + 2x1o", **options)
    assert {name: w.shape for name, w in params.items()} == {
        f.parameter_name(path): (*prefix, *path.path_shape) for path in f.weights
    }
    assert y.irreps == "4x0e + 2x1o"  # 2e is dropped: nothing in the input can be mapped to it
    np.testing.assert_allclose(y.array, by_rows(f, params, X.regroup(), weights_of_row), atol=1e-13)


@pytest.mark.parametrize("inputs", [(), (WEIGHTS[:, 0],), (INDICES[:, 0],)], ids=["vanilla", "mixed", "indexed"])
def test_channels_are_mixed_as_multiplicities(inputs):
    number = 2 if inputs and inputs[0] is not WEIGHTS and inputs[0].dtype.kind == "i" else None
    layer = irr.Linear("0e + 1o", channel_out=6, num_indexed_weights=number, biases=True)
    params, y = made(layer, *inputs, X)
    assert y.shape == (3, 6, 4)
    plain = irr.Linear("6x0e + 6x1o", num_indexed_weights=number, biases=True)
    np.testing.assert_allclose(
        y.axis_to_mul().array, irr.apply(plain, params, *inputs, X.regroup().axis_to_mul()).array, atol=1e-14
    )


def test_external_weights_may_be_scalars_with_irreps():
    layer = irr.Linear("0e + 1o")
    params, y = made(layer, WEIGHTS, X)
    np.testing.assert_array_equal(irr.apply(layer, params, ic.IrrepsArray("3x0e + 2x0e", WEIGHTS), X).array, y.array)


@pytest.mark.parametrize(
    ("layer", "inputs"), [(irr.Linear("1o + 2e"), (WEIGHTS,)), (irr.Linear("2e", num_indexed_weights=2), (INDICES,))]
)
@pytest.mark.parametrize("force", [False, True])
def test_rows_broadcast(layer, inputs, force):
    layer = irr.Linear(layer.irreps_out, num_indexed_weights=layer.num_indexed_weights, force_irreps_out=force)
    one_row = X[:1, :1]
    params, y = made(layer, *inputs, one_row)
    np.testing.assert_array_equal(y.array, irr.apply(layer, params, *inputs, one_row.broadcast_to((3, 4, -1))).array)
    one_weight = inputs[0][0, 0]
    assert irr.apply(layer, params, one_weight, X).shape == y.shape


def test_forced_irreps_are_returned_exactly():
    layer = irr.Linear("2e + 0e + 0e + 1o", force_irreps_out=True)
    _, y = made(layer, X)
    assert y.irreps == "2e + 0e + 0e + 1o"
    assert repr(y.irreps) == "1x2e+1x0e+1x0e+1x1o"
    np.testing.assert_array_equal(y.filter("2e").array, 0)
    assert y.zero_flags[0]


def test_forced_scalars_without_input_are_their_bias():
    layer = irr.Linear("2x0e", biases=True, force_irreps_out=True)
    params, y = made(layer, X.filter("1o"))
    np.testing.assert_array_equal(y.array, jnp.broadcast_to(params["b[0] 2x0e"], (3, 4, 2)))


def test_irreps_are_merged_unless_told_otherwise():
    params, _ = made(irr.Linear("1o + 1o + 0e"), X)
    assert list(params) == ["w[0,1] 3x0e,1x0e", "w[1,0] 1x1o,2x1o"]
    params, y = made(irr.Linear("1o + 1o + 0e", simplify_irreps_internally=False), X)
    assert sorted(params) == ["w[0,2] 2x0e,1x0e", "w[1,0] 1x1o,1x1o", "w[1,1] 1x1o,1x1o", "w[2,2] 1x0e,1x0e"]
    assert repr(y.irreps) == "1x1o+1x1o+1x0e"


def test_instructions_connect_what_they_say():
    layer = irr.Linear(
        "0e + 1o + 0e", irreps_in=IRREPS, instructions=[(2, 0), (1, 1)], simplify_irreps_internally=False
    )
    params, y = made(layer, X)
    assert sorted(params) == ["w[1,1] 1x1o,1x1o", "w[2,0] 1x0e,1x0e"]
    np.testing.assert_allclose(y[..., :1].array, X[..., 5:].array * params["w[2,0] 1x0e,1x0e"][0, 0], atol=1e-15)
    assert y.zero_flags == (False, False, True)


def test_each_item_of_the_output_may_have_a_bias_or_not():
    options = {"irreps_in": IRREPS, "simplify_irreps_internally": False}
    layer = irr.Linear("3x0e + 1o + 0e", biases=[False, False, True], **options)
    params, y = made(layer, X)
    assert [name for name in params if name.startswith("b")] == ["b[2] 1x0e"]
    shifted = irr.apply(layer, {**params, "b[2] 1x0e": params["b[2] 1x0e"] + 2}, X)
    np.testing.assert_allclose(shifted.array - y.array, jnp.broadcast_to(jnp.arange(7) // 6 * 2.0, y.shape), atol=1e-14)
    assert layer == irr.Linear("3x0e + 1o + 0e", biases=(False, False, 1), **options)
    assert hash(layer) != hash(irr.Linear("3x0e + 1o + 0e", **options))


def test_instructions_find_their_items_in_data_that_is_merged():
    layer = irr.Linear(
        "0e", irreps_in="2x0e + 0e + 1o", instructions=[(1, 0)], simplify_irreps_internally=False, force_irreps_out=True
    )
    x = ic.normal("3x0e + 1o", jax.random.key(1), (2,), dtype=F)
    params, y = made(layer, x)
    np.testing.assert_allclose(y.array, x.array[:, 2:3] * params["w[1,0] 1x0e,1x0e"][0, 0], atol=1e-15)
    with pytest.raises(ValueError, match=r"made for irreps_in=2x0e\+1x0e\+1x1o, got input of irreps 1x1o\+3x0e"):
        irr.apply(layer, params, ic.zeros("1o + 3x0e"))


def test_parameters_do_not_depend_on_zeros_where_the_irreps_are_given():
    layer = irr.Linear("4x0e + 4x1o", irreps_in="1o + 2x0e")
    vector = ic.normal("1o", jax.random.key(0), (3,), dtype=F)
    x = ic.concatenate([vector, ic.zeros("2x0e", (3,), F)])
    params, y = made(layer, x)
    assert len(params) == 2
    assert y.irreps == "4x0e + 4x1o"
    assert y.zero_flags == (True, False)
    # Without irreps_in the input says what there is, as for dropped irreps.
    params, y = made(irr.Linear("4x0e + 4x1o"), x)
    assert list(params) == ["w[0,0] 1x1o,4x1o"]


@pytest.mark.parametrize(
    ("mode", "path_normalization", "gradient_normalization"),
    [
        ("vanilla", "element", "path"),
        ("vanilla", "path", "element"),
        ("mixed", "path", "path"),
        ("mixed", 0.5, 0.5),
        ("indexed", "element", "element"),
    ],
)
def test_output_has_variance_one(mode, path_normalization, gradient_normalization):
    """Over the random parameters, for an input of mean square 1 (and external weights of mean square 1)."""
    x = ic.IrrepsArray("8x0e + 4x0e + 3x1o", jnp.ones(21, F))
    more, inputs = {
        "vanilla": ({}, ()),
        "mixed": ({}, (jnp.ones(7, F),)),
        "indexed": ({"num_indexed_weights": 3}, (jnp.array(1),)),
    }[mode]
    layer = irr.Linear(
        "200x0e + 100x1o",
        path_normalization=path_normalization,
        gradient_normalization=gradient_normalization,
        simplify_irreps_internally=False,
        **more,
    )
    y = irr.apply(layer, irr.init(layer, jax.random.key(0), *inputs, x), *inputs, x)
    for chunk in y.chunks:
        np.testing.assert_allclose(jnp.mean(chunk**2), 1, atol=0.45)  # 100 samples: sd 0.14


def test_parameter_initializer_replaces_the_normal_one():
    layer = irr.Linear("0e + 1o", biases=True, parameter_initializer=lambda: jax.nn.initializers.constant(0.25))
    params = irr.init(layer, jax.random.key(0), X)
    assert all((w == 0.25).all() for w in params.values())
    default = irr.init(irr.Linear("0e + 1o", biases=True), jax.random.key(0), X)
    assert (default["b[0] 1x0e"] == 0).all()


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (irr.Linear("2x0e + 1o + 2e", biases=True), ("2x0e + 1o",)),
        (irr.Linear("2x0e + 1o + 0o"), ("3x0e", "2x0e + 1o + 0o")),
        (irr.Linear("2x0e + 1o", force_irreps_out=True, simplify_irreps_internally=False), ("0e + 1o + 1o",)),
    ],
)
def test_is_equivariant(layer, inputs):
    params, _ = made(layer, *(ic.normal(i, jax.random.key(0), (2,), dtype=F) for i in inputs))
    assert_equivariant(lambda *x: irr.apply(layer, params, *x), jax.random.key(0), *inputs, leading_shape=(2,), dtype=F)


@pytest.mark.parametrize("mode", MODES)
def test_jit_vmap_derivatives_empty_batch_and_dtypes(mode):
    more, inputs, _, _ = MODES[mode]
    layer = irr.Linear("0e + 1o", biases=True, **more)
    params, y = made(layer, *inputs, X)

    def run(params, *inputs):
        return irr.apply(layer, params, *inputs)

    np.testing.assert_allclose(jax.jit(run)(params, *inputs, X).array, y.array, atol=1e-14)
    axes = (None, *(0 for _ in inputs), 0)
    np.testing.assert_allclose(jax.jit(jax.vmap(run, axes))(params, *inputs, X).array, y.array, atol=1e-14)

    # Linear in the data without its bias, linear in the parameters: exact derivatives of both orders.
    tangent = jax.tree.map(jnp.ones_like, params)

    @jax.jit
    def derivatives(params):
        _, by_params = jax.jvp(lambda p: run(p, *inputs, X), (params,), (tangent,))

        def loss(p):
            return jnp.sum(run(p, *inputs, X).array ** 2) / 2

        def dot(a, b):
            return sum(jnp.vdot(a[k], b[k]) for k in a)

        gradient = jax.grad(loss)(params)
        _, hessian = jax.jvp(jax.grad(loss), (params,), (tangent,))
        return by_params.array, dot(gradient, tangent), dot(hessian, tangent)

    found, slope, curvature = derivatives(params)
    expected = run(tangent, *inputs, X).array
    np.testing.assert_allclose(found, expected, atol=1e-13)
    np.testing.assert_allclose(slope, jnp.vdot(y.array, expected), rtol=1e-12)
    np.testing.assert_allclose(curvature, jnp.vdot(expected, expected), rtol=1e-12)

    assert run(params, *(i[:0] for i in inputs), X[:0]).shape == (0, 4, 4)
    with jax.numpy_dtype_promotion("strict"):
        single = jax.tree.map(lambda a: a.astype(jnp.float32) if a.dtype == F else a, (params, *inputs, X))
        assert run(*single).dtype == jnp.float32
        np.testing.assert_allclose(run(*single).array, y.array, atol=1e-5)


def test_parameters_have_the_dtype_of_the_data():
    for dtype in (jnp.float32, jnp.float64):
        specs = irr.bindings.parameter_specs(irr.Linear("0e"), X.astype(dtype))
        assert {spec.dtype for spec in specs.values()} == {jnp.dtype(dtype)}
    whole = ic.IrrepsArray(IRREPS, jnp.arange(6))
    assert made(irr.Linear("0e"), whole)[1].dtype == jnp.zeros(()).dtype


def test_an_index_that_does_not_exist_gives_nan():
    layer = irr.Linear("1o", num_indexed_weights=2)
    params, _ = made(layer, INDICES, X)
    y = irr.apply(layer, params, jnp.array([0, 2, 92, -1]), X[0])
    assert jnp.isnan(y.array).any(axis=1).tolist() == [False, True, True, False]
    np.testing.assert_array_equal(y[3].array, irr.apply(layer, params, jnp.array(1), X[0, 3]).array)


def test_plain_arrays_are_scalars():
    layer = irr.Linear("3x0e")
    x = jnp.ones((2, 5), F)
    params, y = made(layer, x)
    assert list(params) == ["w[0,0] 5x0e,3x0e"]
    assert y.irreps == "3x0e"


def test_is_a_value():
    one, other = (irr.Linear("2x0e", irreps_in="0e", instructions=[(0, 0)], simplify_irreps_internally=False),) * 2
    assert one == other
    assert hash(one) == hash(other)
    assert one != irr.Linear("2x0e")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channel_out": 0}, "channel_out must be positive, got 0"),
        ({"num_indexed_weights": -2}, "num_indexed_weights must be positive, got -2"),
        ({"channel_out": 2, "weights_per_channel": True}, "channel_out=2"),
        ({"instructions": [(0, 0)]}, r"instructions=\(\(0, 0\),\)"),
        ({"instructions": [(0, 0)], "simplify_irreps_internally": False}, "need irreps_in"),
        ({"path_normalization": "banana"}, "'banana'"),
        ({"gradient_normalization": -1}, "-1"),
        (
            {
                "instructions": [(0, 3)],
                "irreps_in": "0e",
                "simplify_irreps_internally": False,
                "force_irreps_out": True,
            },
            r"\(0, 3\) does not exist",
        ),
        (
            {"instructions": [(0, 0)], "irreps_in": "0e", "simplify_irreps_internally": False},
            "1x1o of them would be dropped",
        ),
        ({"biases": [True, False]}, r"biases=\(True, False\) .* need simplify_irreps_internally=False"),
        ({"biases": [True, False], "simplify_irreps_internally": False}, "any of them would be dropped"),
        (
            {"biases": [True], "simplify_irreps_internally": False, "force_irreps_out": True},
            r"expected 2 biases for 1x0e\+1x1o, got 1",
        ),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        irr.Linear("0e + 1o", **options)


@pytest.mark.parametrize(
    ("layer", "inputs", "message"),
    [
        (irr.Linear("0e"), (), "got 0 inputs"),
        (irr.Linear("0e"), (X, X, X), "got 3 inputs"),
        (irr.Linear("0e", num_indexed_weights=2), (X,), "num_indexed_weights=2 takes"),
        (irr.Linear("0e", num_indexed_weights=2), (WEIGHTS, X), "got float64 with num_indexed_weights=2"),
        (irr.Linear("0e"), (INDICES, X), "got int64 with num_indexed_weights=None"),
        (irr.Linear("0e"), (INDICES == 0, X), "got bool"),
        (irr.Linear("0e"), (X, X), r"scalars \(0e\), got 2x0e\+1x1o\+1x0e"),
        (irr.Linear("0e", irreps_in="0e + 1o"), (X,), r"irreps_in=1x0e\+1x1o, got input of irreps 2x0e\+1x1o\+1x0e"),
        (irr.Linear("0e", channel_out=2), (X[0, 0],), r"got shape \(6,\)"),
        (irr.Linear("0e", weights_per_channel=True), (X[0, 0],), r"got shape \(6,\)"),
        (irr.Linear("0e"), (WEIGHTS[:2], X), "shape"),
    ],
)
def test_bad_input_is_named(layer, inputs, message):
    with pytest.raises(ValueError, match=message):
        irr.bindings.parameter_specs(layer, *inputs)
    with pytest.raises(ValueError, match=message):
        irr.apply(layer, {}, *inputs)
