"""Modules with the arguments of e3nn-jax; where that is installed, they have its parameters, state and numbers."""

import importlib
from functools import partial

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as compat

KEY = jax.random.key(0)
F = jnp.float64
# Compiled without optimization, which takes longer than a single run; run eagerly, each operation would be compiled.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def data(e, irreps, *shape, seed=0):
    irreps = e.Irreps(irreps)
    return e.IrrepsArray(irreps, jnp.asarray(np.random.default_rng(seed).normal(size=(*shape, irreps.dim)), F))


def experimental(e, module, name):
    return getattr(importlib.import_module(f"{e.__name__}.experimental.{module}"), name)


POINTS = np.random.default_rng(5).normal(size=(5, 3))
SRC, DST = (jnp.array(i) for i in ([0, 1, 2, 3, 4, 0, 2], [1, 0, 1, 2, 3, 3, 4]))
LENGTHS = jnp.asarray(np.linalg.norm(POINTS[DST] - POINTS[SRC], axis=1), F)


def points(e):
    """Points, their features and edges; one point does not receive any."""
    return e.IrrepsArray("1o", jnp.asarray(POINTS, F)), data(e, "2x0e + 1o", 5), SRC, DST


def attention(e):
    """Edges, their cutoffs and attributes, and node features."""
    vectors = e.IrrepsArray("1o", jnp.asarray(POINTS[DST] - POINTS[SRC], F))
    radial = e.IrrepsArray("3x0e", e.bessel(LENGTHS, 3, 5.0))
    attributes = e.concatenate([radial, e.spherical_harmonics("1o + 2e", vectors, True)])
    return SRC, DST, e.soft_envelope(LENGTHS, 3.0), attributes, data(e, "2x0e + 2x1o", 5)


def radial_functions(r):
    return jnp.stack([jnp.exp(-r), jnp.exp(-((r - 1) ** 2))], axis=1)


CONVOLUTION = {"avg_num_neighbors": 2.5, "sh_lmax": 2, "mlp_neurons": (4,), "mlp_activation": jnp.tanh}
GRID = ("0e + 1o", "0e + 1o", 2.5, {0: 2, 1: 1}, (1.0, 1.0, 1.5))
# The constructor of each module, and its inputs.
HAIKU = {
    "Linear-channels": (lambda e: e.haiku.Linear("3x0e + 1o", 5), lambda e: (data(e, "2x0e + 1o", 4, 3),)),
    "Linear-mixed": (
        lambda e: e.haiku.Linear("3x0e + 1o", biases=True, gradient_normalization=0.3, name="mixed"),
        lambda e: (data(e, "2x0e", 4, seed=1), data(e, "2x0e + 1o", 4)),
    ),
    "MultiLayerPerceptron": (
        lambda e: e.haiku.MultiLayerPerceptron((4, 2), jnp.tanh, output_activation=jnp.cos, with_bias=True),
        lambda e: (data(e, "3x0e", 4),),
    ),
    "BatchNorm": (lambda e: e.haiku.BatchNorm(momentum=0.3), lambda e: (data(e, "2x0e + 0o + 1o", 4, 3),)),
    "BatchNorm-evaluation": (
        lambda e: e.haiku.BatchNorm(reduce="max", normalization="norm", eps=0.1),
        lambda e: (data(e, "2x0e + 0o + 1o", 4), False),
    ),
    "BatchNorm-instance": (
        lambda e: e.haiku.BatchNorm(instance=True, irreps="2x0e + 1o", affine=False),
        lambda e: (data(e, "2x0e + 1o", 4, 3),),
    ),
    "Dropout-evaluation": (lambda e: e.haiku.Dropout(0.5), lambda e: (KEY, data(e, "2x0e + 1o", 4), False)),
    "Dropout-nothing": (lambda e: e.haiku.Dropout(0.0, irreps="2x0e + 1o"), lambda e: (KEY, data(e, "2x0e + 1o", 4))),
    "SymmetricTensorProduct": (
        lambda e: e.haiku.SymmetricTensorProduct((1, 2, 3), "0e + 1o"),
        lambda e: (data(e, "2x0e + 1o", 2, 3),),
    ),
    "MessagePassingConvolutionHaiku": (
        lambda e: experimental(e, "point_convolution", "MessagePassingConvolutionHaiku")(
            "3x0e + 2x1o + 1e + 4e", radial_functions, **CONVOLUTION
        ),
        points,
    ),
    "MessagePassingConvolutionHaiku-radial_basis": (
        lambda e: experimental(e, "point_convolution", "MessagePassingConvolutionHaiku")(
            "2x0e + 1o",
            lambda r: experimental(e, "point_convolution", "radial_basis")(r, 3.0, 4),
            avg_num_neighbors=1.0,
            sh_lmax=1,
            name="first",
        ),
        points,
    ),
    "Transformer": (
        lambda e: experimental(e, "transformer", "Transformer")("2x0e + 4x1o", [4], jnp.tanh, num_heads=2),
        attention,
    ),
    "FullyConnectedTensorProduct": (
        lambda e: e.haiku.FullyConnectedTensorProduct("3x0e + 1o", irreps_in1="0e + 0e + 1o"),
        lambda e: (data(e, "2x0e + 1o", 5), data(e, "0e + 1o", 1)),
    ),
    "ConvolutionHaiku": (
        lambda e: experimental(e, "voxel_convolution", "ConvolutionHaiku")(*GRID, relative_starts=0.5),
        lambda e: (data(e, "2x0e", 1, 4, 4, 3),),
    ),
}
FLAX = {
    "Linear": (
        lambda e: e.flax.Linear("3x0e + 1o", "2x0e + 1o", None, "element"),
        lambda e: (data(e, "2x0e + 1o", 4),),
    ),
    "MultiLayerPerceptron": (
        lambda e: e.flax.MultiLayerPerceptron((4, 2), jnp.tanh, 0.5, False, True),
        lambda e: (data(e, "3x0e", 4),),
    ),
    "LinearSHTP": (
        lambda e: experimental(e, "linear_shtp", "LinearSHTP")(e.Irreps("2x1o + 3x0e + 1e"), mix=True),
        lambda e: (data(e, "2x0e + 1o"), data(e, "1o", seed=1)),
    ),
    "BatchNorm": (
        lambda e: e.flax.BatchNorm(None, 0.1, 0.3, True, "max"),
        lambda e: (data(e, "2x0e + 0o + 1o", 4, 3), False, jnp.array([True, True, False, True])),
    ),
    "BatchNorm-instance": (lambda e: e.flax.BatchNorm(instance=True), lambda e: (data(e, "2x0e + 1o", 4, 3),)),
    "MessagePassingConvolutionFlax": (
        lambda e: experimental(e, "point_convolution", "MessagePassingConvolutionFlax")(
            "3x0e + 2x1o + 1e", radial_functions, 2.5, 1, mlp_neurons=(4,)
        ),
        points,
    ),
    "ConvolutionFlax": (
        lambda e: experimental(e, "voxel_convolution", "ConvolutionFlax")(*GRID, 0.5, "VALID"),
        lambda e: (data(e, "2x0e", 1, 4, 4, 3),),
    ),
}


def random_like(tree):
    """Random numbers, which are positive because variances are."""
    generator = np.random.default_rng(0)
    return jax.tree.map(lambda p: jnp.asarray(generator.uniform(0.5, 2.0, p.shape), F), tree)


def same(found, expected):
    assert repr(found.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(found.array, expected.array, rtol=1e-11, atol=1e-12)


def same_trees(found, expected):
    found, expected = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def haiku_program(e, name):
    """Return a transformed module, and a function that returns its inputs."""
    make, inputs = HAIKU[name]
    return hk.transform_with_state(lambda *x: make(e)(*x)), lambda: inputs(e)


@pytest.mark.parametrize("name", HAIKU)
def test_haiku(name):
    """It takes the arguments of e3nn-jax; the tests of its layer cover the numbers."""
    program, inputs = haiku_program(compat, name)
    shapes = jax.eval_shape(lambda: program.init(KEY, *inputs()))
    out, state = jax.eval_shape(lambda params, state: program.apply(params, state, None, *inputs()), *shapes)
    assert (out.dtype, out.shape[-1]) == (F, out.irreps.dim)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, shapes[1])


@pytest.mark.parametrize("name", HAIKU)
def test_haiku_as_e3nn_jax(name):
    (ours, inputs), (theirs, their_inputs) = (haiku_program(e, name) for e in (compat, pytest.importorskip("e3nn_jax")))
    with jax.numpy_rank_promotion("allow"):
        shapes = jax.eval_shape(lambda: theirs.init(KEY, *their_inputs()))
        params, state = map(random_like, shapes)
        run = compiled(lambda params, state: theirs.apply(params, state, None, *their_inputs()))
        expected, expected_state = run(params, state)
    own = jax.eval_shape(lambda: ours.init(KEY, *inputs()))
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, shapes)
    out, new_state = compiled(lambda params, state: ours.apply(params, state, None, *inputs()))(params, state)
    same(out, expected)
    same_trees(new_state, expected_state)


@pytest.mark.parametrize("name", FLAX)
def test_flax(name):
    """It takes the arguments of e3nn-jax; the tests of its layer cover the numbers."""
    make, inputs = FLAX[name]
    module = make(compat)
    variables = jax.eval_shape(lambda: module.init(KEY, *inputs(compat)))
    out, _ = jax.eval_shape(lambda v: module.apply(v, *inputs(compat), mutable=["batch_stats"]), variables)
    assert (out.dtype, out.shape[-1]) == (F, out.irreps.dim)


def test_parameters_of_flax_have_the_names_of_e3nn_jax():
    """Checkpoints of e3nn-jax are read into the variables that `init` makes."""
    names = set()
    for name in ("MultiLayerPerceptron", "BatchNorm"):
        make, inputs = FLAX[name]
        shapes = jax.eval_shape(lambda make=make, inputs=inputs: make(compat).init(KEY, *inputs(compat)))
        names |= {"/".join(key.key for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(shapes)}
    assert names == {
        *(f"params/Dense_{i}/{part}" for i in range(2) for part in ("kernel", "bias")),
        *("params/weights", "params/biases", "batch_stats/mean", "batch_stats/var"),
    }


def test_batch_norm_of_flax_uses_running_averages_without_changing_them():
    x = data(compat, "2x0e + 1o", 4)
    module = compat.flax.BatchNorm(use_running_average=True)
    variables = random_like(jax.eval_shape(lambda: module.init(KEY, x)))

    @compiled
    def both(variables):
        evaluated = module.apply(variables, x, mutable=["batch_stats"])
        # The argument of the call overrides that of the constructor.
        return *evaluated, compat.flax.BatchNorm(True).apply(variables, x, False, mutable=["batch_stats"])[0]

    out, updates, trained = both(variables)
    same_trees(updates, {"batch_stats": variables["batch_stats"]})
    mean, var, w, b = (variables[k][n] for k, n in NORM)
    scale = w / jnp.sqrt((1 - 1e-4) * var + 1e-4)
    np.testing.assert_allclose(out.array[:, :2], (x.array[:, :2] - mean[None]) * scale[None, :2] + b[None], rtol=1e-12)
    np.testing.assert_allclose(out.array[:, 2:], x.array[:, 2:] * scale[2], rtol=1e-12)
    np.testing.assert_allclose(np.mean(trained.array[:, :2], axis=0), b, rtol=1e-12)
    with pytest.raises(ValueError, match="no running averages"):
        compat.flax.BatchNorm(True, instance=True).init(KEY, x)


NORM = [("batch_stats", "mean"), ("batch_stats", "var"), ("params", "weights"), ("params", "biases")]


def test_dropout_drops_or_scales_whole_irreps():
    x = data(compat, "4x0e + 4x1o", 6)
    f = hk.without_apply_rng(hk.transform(lambda *inputs: compat.haiku.Dropout(0.5)(*inputs)))
    out = compiled(f.apply)({}, KEY, x)
    ratio = np.round(np.asarray(out.array) / x.array, 6)
    assert set(np.unique(ratio)) == {0.0, 2.0}
    np.testing.assert_array_equal(ratio[:, 4::3], ratio[:, 5::3])


def test_linear_of_haiku_takes_initializers_of_haiku():
    make = partial(hk.initializers.Constant, 2.0)
    x = data(compat, "2x0e + 1o", 4)
    for module in (compat.haiku.Linear, compat.Linear):
        f = hk.transform(lambda x, module=module: module("0e + 1o", parameter_initializer=make)(x))
        leaves = jax.tree.leaves(compiled(f.init)(KEY, x))
        assert [leaf.tolist() for leaf in leaves] == [[[2.0], [2.0]], [[2.0]]]


def test_linear_of_equinox():
    """It takes the arguments of e3nn-jax, and has the numbers of the layer."""
    pytest.importorskip("irreps_equinox")
    import irreps_ops as irr

    x, s = data(compat, "2x0e + 1o", 4), data(compat, "3x0e", 4, seed=1)
    irreps = {"irreps_in": "2x0e + 1o", "irreps_out": "3x0e + 1o + 2e"}
    make = compat.equinox.Linear
    for module, inputs, layer in (
        (make(**irreps, key=KEY), (x,), irr.Linear("3x0e + 1o")),
        (
            make(**irreps, force_irreps_out=True, biases=True, key=KEY),
            (x,),
            irr.Linear(irreps["irreps_out"], biases=True, force_irreps_out=True),
        ),
        (
            make(**irreps, linear_type="indexed", num_indexed_weights=2, key=KEY),
            (jnp.array([0, 1, 1, 0]), x),
            irr.Linear("3x0e + 1o", num_indexed_weights=2),
        ),
        (make(**irreps, linear_type="mixed", weights_dim=3, key=KEY), (s.array, x), irr.Linear("3x0e + 1o")),
    ):
        y, expected = compiled(
            lambda params, module=module, inputs=inputs, layer=layer: (
                module(*inputs),
                irr.apply(layer, params, *inputs),
            )
        )(module.parameters)
        same(y, expected)
        assert module.irreps_out == y.irreps
        # Programs write the leaves to a file, or change them under a private name.
        leaves = jax.tree.leaves(module)
        assert [leaf.shape for leaf in leaves] == [module._weights[name].shape for name in sorted(module._weights)]
    channels = jax.eval_shape(make(**irreps, channel_out=5, key=KEY), x)
    assert (channels.irreps, channels.shape) == ("3x0e + 1o", (4, 5, 6))
    x = data(compat, "2x0e + 1o", 4, 2)
    of_channel = make(**irreps, linear_type="mixed_per_channel", weights_dim=3, channel_in=2, key=KEY)
    assert jax.eval_shape(of_channel, s, x).shape == (4, 2, 6)
    with pytest.raises(ValueError, match="linear_type must be one of vanilla, "):
        make(**irreps, linear_type="plain", key=KEY)
    with pytest.raises(ValueError, match="'mixed' needs weights_dim"):
        make(**irreps, linear_type="mixed", key=KEY)


@pytest.mark.parametrize("name", FLAX)
def test_flax_as_e3nn_jax(name):
    e3nn_jax = pytest.importorskip("e3nn_jax")
    make, inputs = FLAX[name]
    with jax.numpy_rank_promotion("allow"):
        shapes = jax.eval_shape(lambda: make(e3nn_jax).init(KEY, *inputs(e3nn_jax)))
        variables = random_like(shapes)
        run = compiled(lambda v: make(e3nn_jax).apply(v, *inputs(e3nn_jax), mutable=["batch_stats"]))
        expected, expected_updates = run(variables)
    own = jax.eval_shape(lambda: make(compat).init(KEY, *inputs(compat)))
    assert jax.tree.map(jnp.shape, own) == jax.tree.map(jnp.shape, shapes)
    out, updates = compiled(lambda v: make(compat).apply(v, *inputs(compat), mutable=["batch_stats"]))(variables)
    same(out, expected)
    same_trees(updates, expected_updates)
