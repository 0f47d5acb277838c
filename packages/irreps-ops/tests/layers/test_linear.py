"""The layer Linear in each of its modes, against loops over batch, channels and paths.

The conformance kit tests its symmetry, derivatives, vmap, empty batches and dtypes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

F = jnp.float64
IRREPS = "2x0e + 1o + 0e"
X = ic.normal(IRREPS, jax.random.key(1), (3, 4), dtype=F)
WEIGHTS = jax.random.normal(jax.random.key(2), (3, 4, 5), F)
INDICES = jnp.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])


apply = jax.jit(irr.apply, static_argnums=0)


def random_parameters(layer, *inputs):
    """Random parameters, including biases."""
    rng = np.random.default_rng(0)
    specs = irr.bindings.parameter_specs(layer, *inputs)
    return {name: rng.normal(size=spec.shape).astype(spec.dtype) for name, spec in specs.items()}


def made(layer, *inputs):
    """Random parameters and the output, with its zero flags, which `jit` would lose."""
    params = random_parameters(layer, *inputs)
    return params, irr.apply(layer, params, *inputs)


@functools.cache
def functional_map(options):
    """The map without parameters, and its compiled application to one element of the batch."""
    f = irr.FunctionalLinear(X.irreps.regroup(), "4x0e + 2x1o", **dict(options))
    return f, jax.jit(lambda weights, x: f(weights, x).array)


# Modes: options, leading inputs, parameter shape from path shape, weights of an element of the batch from a parameter.
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
def test_each_mode_applies_a_functional_map_to_each_element(mode, options):
    more, inputs, prefix, weights_of = MODES[mode]
    layer = irr.Linear("4x0e + 2x1o + 2e", **options, **more)
    params = random_parameters(layer, *inputs, X)
    f, one = functional_map(tuple(options.items()))
    assert {name: w.shape for name, w in params.items()} == {
        f.parameter_name(path): (*prefix, *path.path_shape) for path in f.weights
    }
    y = apply(layer, params, *inputs, X)
    assert y.irreps == "4x0e + 2x1o"  # 2e is dropped: no irrep of the input can be mapped to it
    x = np.asarray(X.regroup().array)
    for i in np.ndindex(3, 4):
        weights = [weights_of(params[f.parameter_name(path)], i) for path in f.weights]
        np.testing.assert_allclose(y.array[i], one(weights, ic.IrrepsArray(f.irreps_in, x[i])), atol=1e-13)
    # Under strict promotion, of an empty batch, in another dtype.
    with jax.numpy_dtype_promotion("strict"):
        single = jax.tree.map(lambda a: a[:0].astype(np.float32) if a.dtype == F else a[:0], (inputs, X))
        narrow = jax.tree.map(lambda a: a.astype(np.float32), params)
        empty = jax.eval_shape(functools.partial(irr.apply, layer), narrow, *single[0], single[1])
    assert (empty.shape, empty.dtype) == ((0, 4, 10), jnp.float32)


@pytest.mark.parametrize("inputs", [(), (WEIGHTS[:, 0],), (INDICES[:, 0],)], ids=["vanilla", "mixed", "indexed"])
def test_channels_are_mixed_as_multiplicities(inputs):
    number = 2 if inputs and inputs[0] is not WEIGHTS and inputs[0].dtype.kind == "i" else None
    layer = irr.Linear("0e + 1o", channel_out=6, num_indexed_weights=number, biases=True)
    params = random_parameters(layer, *inputs, X)
    y = apply(layer, params, *inputs, X)
    assert y.shape == (3, 6, 4)
    plain = irr.Linear("6x0e + 6x1o", num_indexed_weights=number, biases=True)
    x = X.regroup().axis_to_mul()
    np.testing.assert_allclose(y.axis_to_mul().array, apply(plain, params, *inputs, x).array, atol=1e-14)


def test_external_weights_may_be_scalars_with_irreps():
    layer = irr.Linear("0e + 1o")
    params = random_parameters(layer, WEIGHTS, X)
    with_irreps = apply(layer, params, ic.IrrepsArray("3x0e + 2x0e", WEIGHTS), X)
    np.testing.assert_array_equal(with_irreps.array, apply(layer, params, WEIGHTS, X).array)


@pytest.mark.parametrize(
    ("layer", "inputs"), [(irr.Linear("1o + 2e"), (WEIGHTS,)), (irr.Linear("2e", num_indexed_weights=2), (INDICES,))]
)
@pytest.mark.parametrize("force", [False, True])
def test_weights_and_data_broadcast(layer, inputs, force):
    layer = irr.Linear(layer.irreps_out, num_indexed_weights=layer.num_indexed_weights, force_irreps_out=force)
    one = ic.IrrepsArray(IRREPS, np.asarray(X.array)[:1, :1])
    repeated = ic.IrrepsArray(IRREPS, np.broadcast_to(one.array, X.shape))
    params = random_parameters(layer, *inputs, one)
    y = apply(layer, params, *inputs, one)
    np.testing.assert_array_equal(y.array, apply(layer, params, *inputs, repeated).array)
    assert jax.eval_shape(functools.partial(irr.apply, layer), params, inputs[0][0, 0], X).shape == y.shape


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


def test_instructions_select_the_connected_items():
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
    difference = np.asarray(shifted.array) - np.asarray(y.array)
    np.testing.assert_allclose(difference, np.broadcast_to(np.arange(7) // 6 * 2.0, y.shape), atol=1e-14)
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
    x = ic.IrrepsArray("8x0e + 4x0e + 3x1o", np.ones(21))
    more, inputs = {
        "vanilla": ({}, ()),
        "mixed": ({}, (np.ones(7),)),
        "indexed": ({"num_indexed_weights": 3}, (np.array(1),)),
    }[mode]
    layer = irr.Linear(
        "0e + 1o",
        path_normalization=path_normalization,
        gradient_normalization=gradient_normalization,
        simplify_irreps_internally=False,
        **more,
    )
    specs = irr.bindings.parameter_specs(layer, *inputs, x)
    initial = {name: spec.initializer(jax.random.key(0), (10_000,), F) for name, spec in specs.items()}
    # The output is a linear function of independent parameters.
    zeros = {name: np.zeros(spec.shape) for name, spec in specs.items()}
    slopes = jax.jit(jax.jacobian(lambda params: irr.apply(layer, params, *inputs, x).array))(zeros)
    variance = sum(np.var(initial[name]) * (slope.reshape(4, -1) ** 2).sum(axis=1) for name, slope in slopes.items())
    np.testing.assert_allclose(variance, 1, atol=0.04)  # 10000 samples: sd 0.014


def test_parameter_initializer_replaces_the_normal_one():
    constant = jax.nn.initializers.constant(0.25)
    layer = irr.Linear("0e + 1o", biases=True, parameter_initializer=lambda: constant)
    assert all(spec.initializer is constant for spec in irr.bindings.parameter_specs(layer, X).values())
    default = irr.bindings.parameter_specs(irr.Linear("0e + 1o", biases=True), X)
    assert (default["b[0] 1x0e"].make(jax.random.key(0)) == 0).all()


def test_parameters_have_the_dtype_of_the_data():
    for dtype in (jnp.float32, jnp.float64):
        specs = irr.bindings.parameter_specs(irr.Linear("0e"), X.astype(dtype))
        assert {spec.dtype for spec in specs.values()} == {jnp.dtype(dtype)}
    whole = ic.IrrepsArray(IRREPS, jnp.arange(6))
    specs = irr.bindings.parameter_specs(irr.Linear("0e"), whole)
    assert {spec.dtype for spec in specs.values()} == {jnp.zeros(()).dtype}


def test_an_index_that_does_not_exist_gives_nan():
    layer = irr.Linear("1o", num_indexed_weights=2)
    params = random_parameters(layer, INDICES, X)
    x = ic.IrrepsArray(IRREPS, np.asarray(X.array)[0])
    y = np.asarray(apply(layer, params, np.array([0, 2, 92, -1]), x).array)
    assert np.isnan(y).any(axis=1).tolist() == [False, True, True, False]
    np.testing.assert_array_equal(y[3], apply(layer, params, np.array([1, 1, 1, 1]), x).array[3])


@pytest.mark.parametrize("index", [2, 92, -3])
def test_an_index_that_does_not_exist_is_an_error_in_checked_code(index):
    linear = irr.Linear("1o", num_indexed_weights=2)
    params = random_parameters(linear, INDICES, X)
    embedding = irr.Embedding("4x0e", 2)
    table = irr.init(embedding, jax.random.key(0), INDICES)
    indices = jnp.zeros(X.shape[:-1], int)
    for f in (lambda i: irr.apply(linear, params, i, X).array, lambda i: irr.apply(embedding, table, i).array):
        np.testing.assert_array_equal(irr.checked(f)(indices), f(indices))
        with pytest.raises(jax.errors.JaxRuntimeError, match=rf"is {index} at position 1 of \d+; expected 0 to 1"):
            jax.block_until_ready(jax.jit(irr.checked(f))(indices.at[0, 1].set(index)))


def test_plain_arrays_are_scalars():
    layer = irr.Linear("3x0e")
    x = jnp.ones((2, 5), F)
    params, y = made(layer, x)
    assert list(params) == ["w[0,0] 5x0e,3x0e"]
    assert y.irreps == "3x0e"


def test_equal_arguments_make_equal_layers():
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
