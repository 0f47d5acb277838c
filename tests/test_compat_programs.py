"""Programs written for e3nn-jax run with irreps after one import is changed, equivariantly and with equal results.

Each program is a function of the package. Where e3nn-jax is installed, it runs with both and the same parameters.
"""

import warnings
from functools import partial

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen

import irreps_compat.e3nn_jax as compat

KEY = jax.random.key(0)
F = jnp.float64
# Two tetrominoes: a chiral one and the square; edges between neighbours.
POSITIONS = jnp.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], F)
GRAPH = jnp.arange(8) // 4
R = np.asarray(-compat.angles_to_matrix(0.3, 0.7, 1.9))


def edges():
    near = np.linalg.norm(POSITIONS[:, None] - POSITIONS[None], axis=-1) < 1.1
    same = np.asarray(GRAPH)[:, None] == np.asarray(GRAPH)[None]
    return np.nonzero(near & same & ~np.eye(8, dtype=bool))


SENDERS, RECEIVERS = edges()


def tetris(e, modules, named):
    """A network that tells tetrominoes from their mirror images; `modules` is e.haiku or e.flax."""

    def network(positions):
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        sh = e.spherical_harmonics([1, 2], vectors, True)
        x = e.IrrepsArray("0e", jnp.ones((len(positions), 1), positions.dtype))
        hidden = "2x0e + 2x0o + 1o + 1e"
        for i, irreps in enumerate([hidden, hidden, "0o + 2x0e"]):  # the first pseudoscalars appear in the third layer
            irreps = e.Irreps(irreps)
            messages = e.concatenate([x[SENDERS], e.tensor_product(x[SENDERS], sh)]).regroup()
            x = e.scatter_sum(messages, dst=RECEIVERS, output_size=len(positions)) / 1.5
            target = irreps if i == 2 else e.Irreps(f"{irreps.filter('1o + 1e').num_irreps}x0e") + irreps
            x = modules.Linear(target.regroup(), **named(f"linear_{i}"))(x)
            x = e.gate(x) if i < 2 else x
        x = e.scatter_sum(x, nel=jnp.array([4, 4]))
        scalars = x.filter("0e")
        return e.concatenate([x.filter("0o") * scalars[:, :1], scalars[:, 1:]])

    return network


def tetris_haiku(e):
    f = hk.without_apply_rng(hk.transform(tetris(e, e.haiku, lambda name: {"name": name})))
    return f.init, f.apply


def tetris_flax(e):
    class Network(linen.Module):
        @linen.compact
        def __call__(self, positions):
            return tetris(e, e.flax, lambda name: {"name": name})(positions)

    return Network().init, Network().apply


def interaction(e):
    """A NequIP layer: radial weights on the products, mixed by species."""

    def layer(positions):
        species = jnp.array([0, 1, 0, 0, 1, 1, 0, 1])
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        lengths = e.norm(vectors).array[:, 0]
        x = e.haiku.Linear("4x0e + 2x1o", num_indexed_weights=2)(
            species, e.IrrepsArray("2x0e", jax.nn.one_hot(species, 2))
        )
        x = e.concatenate([x, e.spherical_harmonics("1o", e.IrrepsArray("1o", positions), False)]).regroup()
        radial = e.bessel(lengths, 4, 2.0) * e.poly_envelope(5, 2, 2.0)(lengths)[:, None]
        messages = e.tensor_product(
            e.haiku.Linear(x.irreps, name="up")(x)[SENDERS],
            e.spherical_harmonics("0e + 1o + 2e", vectors, True),
            filter_ir_out=["0e", "1o", "1e"],
        )
        mix = e.haiku.MultiLayerPerceptron([8, messages.irreps.num_irreps], jax.nn.silu, output_activation=False)(
            radial
        )
        x = e.index_add(RECEIVERS, messages * mix, out_dim=len(positions))
        x = e.haiku.Linear("6x0e + 2x1o + 1e", name="down")(x)
        return e.gate(x, even_act=jax.nn.silu, even_gate_act=jax.nn.silu)

    f = hk.without_apply_rng(hk.transform(layer))
    return f.init, f.apply


def instructions(e):
    """A convolution written with explicit instructions, whose weights a perceptron makes for every edge."""
    from importlib import import_module

    FunctionalTensorProduct = import_module(f"{e.__name__}.legacy").FunctionalTensorProduct

    def layer(positions):
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        sh = e.spherical_harmonics([0, 1], vectors, True)
        x = e.haiku.Linear("4x0e + 4x1o")(
            e.concatenate([e.IrrepsArray("0e", jnp.ones((8, 1), F)), e.IrrepsArray("1o", positions)])
        )
        out, steps = [], []
        for i, (mul, ir_x) in enumerate(x.irreps):
            for j, (_, ir_y) in enumerate(sh.irreps):
                for ir in ir_x * ir_y:
                    steps.append((i, j, len(out), "uvu", True))
                    out.append((mul, ir))
        out, place, _ = e.Irreps(out).sort()
        steps = [(i, j, place[k], mode, weighted) for i, j, k, mode, weighted in steps]
        tp = FunctionalTensorProduct(x.irreps, sh.irreps, out, steps)
        n = sum(int(np.prod(ins.path_shape)) for ins in tp.instructions if ins.has_weight)
        w = e.haiku.MultiLayerPerceptron([8, n], jnp.tanh)(e.norm(vectors).array)
        messages = e.vmap(tp.left_right)(w, x[SENDERS], sh).remove_zero_chunks().simplify()
        return e.zeros(messages.irreps, (8,), F).at[RECEIVERS].add(messages)

    f = hk.without_apply_rng(hk.transform(layer))
    return f.init, f.apply


def mace(e):
    """A MACE layer: a density of neighbours in channels, its symmetric powers, mixed by species."""

    def layer(positions):
        species = jnp.array([0, 1, 0, 0, 1, 1, 0, 1])
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        sh = e.spherical_harmonics("0e + 1o + 2e", vectors, True)
        x = e.haiku.Linear("3x0e")(e.IrrepsArray("2x0e", jax.nn.one_hot(species, 2, dtype=F)))
        messages = e.tensor_product(x[SENDERS], sh)
        mix = e.haiku.MultiLayerPerceptron([4, messages.irreps.num_irreps], jnp.tanh, output_activation=False)
        messages = messages * mix(
            e.soft_one_hot_linspace(
                e.norm(vectors).array[:, 0], start=0.0, end=2.0, number=4, basis="gaussian", cutoff=False
            )
        )
        density = e.scatter_sum(messages, dst=RECEIVERS, output_size=len(positions)) / 2.0
        powers = e.haiku.SymmetricTensorProduct((1, 2, 3), {e.Irrep("0e"), e.Irrep("1o")})(density.mul_to_axis(3))
        powers = powers.axis_to_mul()
        x = e.haiku.Linear(powers.irreps, num_indexed_weights=2, name="readout")(species, powers)
        return e.concatenate([x, e.dot(x, x)])

    f = hk.without_apply_rng(hk.transform(layer))
    return f.init, f.apply


def segnn(e):
    """A steerable network: messages and updates are gated products with attributes, mapped over edges and nodes."""
    from importlib import import_module

    FullyConnected = import_module(f"{e.__name__}.legacy").FunctionalFullyConnectedTensorProduct

    def product(x, y, irreps_out, name):
        x, y = x.regroup(), y.regroup()
        tp = FullyConnected(x.irreps, y.irreps, e.Irreps(irreps_out), path_normalization="path")
        weights = [
            hk.get_parameter(
                f"{name} {i.i_in1},{i.i_in2},{i.i_out}", i.path_shape, F, hk.initializers.RandomNormal(i.weight_std)
            )
            for i in tp.instructions
        ]
        return jax.vmap(tp.left_right, (None, 0, 0), 0)(weights, x, y)

    def layer(positions):
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        attributes = e.spherical_harmonics("0e + 1o", vectors, True, "integral")
        of_nodes = e.scatter_mean(attributes, dst=RECEIVERS, output_size=len(positions))
        x = e.concatenate([e.IrrepsArray("0e", jnp.ones((8, 1), F)), e.IrrepsArray("1o", positions)])
        message = e.concatenate([x[SENDERS], x[RECEIVERS], e.norm(vectors, squared=True)])
        message = e.gate(product(message, attributes, "3x0e + 1o", "message"))
        total = e.index_add(RECEIVERS, message, out_dim=8)
        update = product(e.concatenate([x, total]), of_nodes, "2x0e + 1o", "update")
        return x + e.gate(update).filter("0e + 1o").extend_with_zeros(x.irreps)

    f = hk.without_apply_rng(hk.transform(layer))
    return f.init, f.apply


def signals(e):
    """A function on the sphere of each node: its neighbours as points, squared on a grid, and read at points."""

    def layer(positions):
        vectors = e.IrrepsArray("1o", positions[RECEIVERS] - positions[SENDERS])
        around = e.scatter_sum(e.s2_dirac(vectors, 2), dst=RECEIVERS, output_size=8)
        around = e.haiku.Linear(around.irreps, biases=True)(around)
        signal = e.to_s2grid(around, 10, 9, quadrature="soft", normalization="norm")
        assert signal.grid_resolution == (10, 9)
        squared = (signal * 2.0).apply(lambda v: v**2 + v) + signal
        coeffs = e.from_s2grid(squared, e.s2_irreps(2), normalization="norm", lmax_in=4)
        at = e.vmap(e.to_s2point)(coeffs[RECEIVERS], vectors)
        return e.concatenate([coeffs, e.scatter_sum(at, dst=RECEIVERS, output_size=8), squared.integrate()])

    f = hk.without_apply_rng(hk.transform(layer))
    return f.init, f.apply


PROGRAMS = (tetris_haiku, tetris_flax, interaction, instructions, mace, segnn, signals)
# Compiled without optimization, which takes longer than a few runs.
compiled = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def random_like(params):
    generator = np.random.default_rng(0)
    return jax.tree.map(lambda p: jnp.asarray(generator.normal(size=p.shape), F), params)


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.__name__)
def program(request):
    """The program, its parameters, and a function that returns its output and the gradient of its squared norm."""
    init, apply = request.param(compat)

    @compiled
    def run(params, positions):
        def array(params):
            out = apply(params, positions)
            return out.array, out

        array, pullback, out = jax.vjp(array, params, has_aux=True)
        return out, *pullback(2 * array)

    return request.param, random_like(jax.eval_shape(init, KEY, POSITIONS)), run


def test_it_is_equivariant(program):
    _, params, run = program
    (out, _), (turned, _) = run(params, POSITIONS), run(params, POSITIONS @ R.T)
    assert out.dtype == F
    np.testing.assert_allclose(turned.array, out.array @ out.irreps.D_from_matrix(R).T, rtol=1e-11, atol=1e-11)
    assert np.abs(out.array).max() > 0.1


def test_it_can_be_trained(program):
    _, params, run = program
    _, gradient = run(params, POSITIONS)
    assert jax.tree.structure(gradient) == jax.tree.structure(params)
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(gradient))
    assert any(np.any(g != 0) for g in jax.tree.leaves(gradient))


def test_it_gives_what_e3nn_jax_gives(program):
    e3nn_jax = pytest.importorskip("e3nn_jax")
    make, params, run = program
    init, theirs = make(e3nn_jax)
    shapes = jax.tree.map(lambda p: p.shape, params)
    with jax.numpy_rank_promotion("allow"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of `index_add`
        assert jax.tree.map(lambda p: p.shape, jax.eval_shape(init, KEY, POSITIONS)) == shapes
        expected = compiled(theirs)(params, POSITIONS)
    found, _ = run(params, POSITIONS)
    assert repr(found.irreps) == repr(expected.irreps)
    np.testing.assert_allclose(found.array, expected.array, rtol=1e-11, atol=1e-11)


def test_modules_of_the_early_releases():
    """IrrepsData passes through the Haiku modules that the package itself had."""
    IrrepsData = compat.IrrepsData

    @hk.without_apply_rng
    @hk.transform
    def f(x, y):
        z = compat.FullyConnectedTensorProduct("3x0e + 2x1o")(x, y)
        return compat.Linear("1o + 0e")(z)

    x = IrrepsData.from_list("2x0e + 0o + 1o", [jnp.ones((5, 2, 1)), None, jnp.ones((5, 1, 3))], (5,))
    y = IrrepsData.ones("0e + 1o", (4, 1))
    params = jax.eval_shape(f.init, KEY, x, y)
    z = jax.eval_shape(f.apply, params, x, y)
    assert isinstance(z, IrrepsData)
    assert (z.shape, z.irreps) == ((4, 5), "1o + 0e")
    # Chunks that are None have no parameters.
    assert next(iter(params["fully_connected_tensor_product"])) == "w[0,0,0] 2x0e,1x0e,3x0e"
    assert not any("0o" in name for name in params["fully_connected_tensor_product"])
    assert params["linear"].keys() == {"w[0,1] 3x0e,1x0e", "w[1,0] 2x1o,1x1o"}


def test_defaults_reach_modules():
    x = compat.IrrepsArray("4x0e", jnp.ones(4))
    f = hk.without_apply_rng(hk.transform(lambda x: compat.haiku.Linear("0e")(x)))
    params = {"linear": {"w[0,0] 4x0e,1x0e": jnp.ones((4, 1))}}
    np.testing.assert_allclose(f.apply(params, x).array, 2.0)
    with compat.config.using(gradient_normalization="element"):
        np.testing.assert_allclose(f.apply(params, x).array, 4.0)


def test_tables_may_be_changed():
    for table in (
        lambda: compat.clebsch_gordan(1, 1, 2),
        lambda: compat.generators(1),
        lambda: compat.su2_generators(1),
    ):
        once = table()
        once *= 2
        np.testing.assert_array_equal(once, 2 * table())


def test_index_add_takes_the_size_as_third_argument():
    x = compat.IrrepsArray("1o", jnp.eye(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        total = compat.index_add(jnp.array([2, 0, 2]), x, 4)
    np.testing.assert_array_equal(total.array, [[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]])


def test_linear_calls_get_parameter_for_each_parameter():
    """SEGNN draws them uniformly, with the standard deviation that the layer asks for."""
    asked = []

    def uniform(name, path_shape, weight_std, dtype=jnp.float32):
        asked.append((name, path_shape, weight_std))
        return hk.get_parameter(name, path_shape, dtype, hk.initializers.RandomUniform(-weight_std, weight_std))

    def network(x):
        return compat.haiku.Linear("3x0e + 1o", get_parameter=uniform, biases=True, gradient_normalization="element")(x)

    x = compat.IrrepsArray("4x0e + 1o", jnp.ones((2, 7), F))
    params = jax.jit(hk.without_apply_rng(hk.transform(network)).init)(KEY, x)["linear"]
    assert asked == [("w[0,0] 4x0e,3x0e", (4, 3), 0.5), ("w[1,1] 1x1o,1x1o", (1, 1), 1.0), ("b[0] 3x0e", (3,), 0.0)]
    assert {name: (w.shape, w.dtype) for name, w in params.items()} == {name: (shape, F) for name, shape, _ in asked}
    assert all(np.abs(params[name]).max() <= std for name, _, std in asked)


def test_irreps_that_flax_converts_to_a_tuple():
    """Flax does so with the attributes of modules that another module creates."""

    class Inner(linen.Module):
        irreps: compat.Irreps

        @linen.compact
        def __call__(self, x):
            kept = [ir for ir in compat.Irrep("1o") * compat.Irrep("1o") if ir in self.irreps]
            assert type(self.irreps) is tuple
            assert compat.Irreps("4x0e + 2x2e") == self.irreps
            return compat.flax.Linear(self.irreps)(compat.tensor_product(x, x, filter_ir_out=kept))

    class Outer(linen.Module):
        @linen.compact
        def __call__(self, x):
            return Inner(compat.Irreps("4x0e + 2x2e"))(x)

    params = jax.eval_shape(Outer().init, KEY, compat.zeros("1o", ()))["params"]
    assert params["Inner_0"]["Linear_0"].keys() == {"w[0,0] 1x0e,4x0e", "w[1,1] 1x2e,2x2e"}
