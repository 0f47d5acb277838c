"""The convolution over edges against its definition: gather, tensor product, weights, sum."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import _tiled_sum
from irreps_ops.graphs._edge_convolution import _tile_rows

NODES, EDGES = 5, 14
KEEP = "0e + 1o"


def problem(irreps="3x0e + 3x1o", harmonics="0e + 1o", keep=KEEP, seed=0, dtype=float, nodes=NODES, edges=EDGES):
    """Features, vectors and parameters of a radial network, on a graph with two padding edges and empty slots."""
    rng = np.random.default_rng(seed)
    senders, receivers = rng.integers(0, nodes, edges), rng.integers(0, nodes, edges)
    receivers[-1:], senders[-2:-1] = nodes, -1
    out = irr.tensor_product(irreps, harmonics, filter_ir_out=keep)
    shapes = {"x": (nodes, ic.Irreps(irreps).dim), "y": (edges, ic.Irreps(harmonics).dim), "d": (edges, 3)}
    shapes |= {"p": (3, 4), "q": (4, out.num_irreps)}
    arrays = {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}
    return SimpleNamespace(
        irreps=irreps, harmonics=harmonics, keep=keep, senders=senders, receivers=receivers, out=out, arrays=arrays,
        nodes=nodes, index=irr.EdgeIndex.from_edges(senders, receivers, nodes, width=2),
    )  # fmt: skip


def network(p, q, d):
    return jnp.matmul(jnp.tanh(jnp.matmul(d, p, precision="highest")), q, precision="highest")


def ours(given, a, **options):
    x, y = ic.IrrepsArray(given.irreps, a["x"]), ic.IrrepsArray(given.harmonics, a["y"])
    options = {"edges": given.index, "tile_edges": 8, **options}
    weights = functools.partial(network, a["p"], a["q"])
    return irr.edge_convolution(x, y, weights, edge_data=a["d"], filter_ir_out=given.keep, **options).array


def brute(given, a):
    x, y = ic.IrrepsArray(given.irreps, a["x"]), ic.IrrepsArray(given.harmonics, a["y"])
    inside = jnp.asarray((given.senders >= 0) & (given.receivers < given.nodes))
    messages = irr.tensor_product(x[jnp.maximum(given.senders, 0)], y, filter_ir_out=given.keep)
    messages = messages * network(a["p"], a["q"], a["d"])
    dst = jnp.where(inside, given.receivers, given.nodes)
    return irr.scatter_sum(messages, dst=dst, output_size=given.nodes).array


def close(a, b, tolerance):
    for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert p.dtype == q.dtype
        p, q = np.asarray(p), np.asarray(q)
        np.testing.assert_allclose(p, q, rtol=0, atol=tolerance * np.abs(q).max(initial=1.0))


def along(f):
    """The derivative in the direction of the arguments: forward mode."""
    return lambda a: jax.jvp(f, (a,), (a,))[1]


def reverse(f):
    """The gradient of a scalar made of the results: reverse mode."""
    return jax.grad(lambda a: sum(jnp.sum(jnp.sin(y / 4)) for y in jax.tree.leaves(f(a))))


DERIVATIVES = {
    "value": lambda f: f,
    "forward": along,
    "reverse": reverse,
    "forward over reverse": lambda f: along(reverse(f)),
    "reverse over reverse": lambda f: reverse(reverse(f)),
    "reverse over forward": lambda f: reverse(along(f)),
}


def derivatives(f, *names):
    """Values and derivatives in one program; all of them if none are named."""
    return jax.jit(lambda a: {name: DERIVATIVES[name](f)(a) for name in names or DERIVATIVES})


GIVEN = problem()


@functools.cache
def expected():
    """Values and derivatives of the definition for `GIVEN`."""
    return derivatives(functools.partial(brute, GIVEN))(GIVEN.arrays)


def run(given, a, **options):
    """Values in one program."""
    return jax.jit(functools.partial(ours, given, **options))(a)


@pytest.mark.slow
def test_values_and_derivatives_to_second_order_are_those_of_the_definition():
    found = derivatives(functools.partial(ours, GIVEN))(GIVEN.arrays)
    close(found, expected(), 1e-13)


@pytest.mark.parametrize("at_once", [2, 1000])
def test_an_accelerator_processes_several_tiles_at_once(at_once, monkeypatch):
    """Two of three tiles, the last of which is short; all of them, padded."""
    monkeypatch.setattr(_tiled_sum, "tiles_at_once", lambda platform, tile: at_once)
    assert (GIVEN.index.num_rows, _tile_rows(GIVEN.index, 6)) == (7, 3)
    names = ("value", "reverse over reverse")
    found = derivatives(functools.partial(ours, GIVEN, tile_edges=6), *names)(GIVEN.arrays)
    close(found, {name: expected()[name] for name in names}, 1e-13)


def test_single_precision_under_strict_promotion():
    arrays = {name: x.astype(jnp.float32) for name, x in GIVEN.arrays.items()}
    with jax.numpy_dtype_promotion("strict"):
        found = derivatives(functools.partial(ours, GIVEN), "reverse over reverse")(arrays)["reverse over reverse"]
    for name, x in expected()["reverse over reverse"].items():
        assert found[name].dtype == jnp.float32
        np.testing.assert_allclose(found[name], x, rtol=0, atol=1e-5 * np.abs(x).max())


@pytest.mark.parametrize(
    ("irreps", "harmonics", "keep"),
    [
        ("2x1o + 2e", "0e + 2e + 3o", "1o + 2e"),
        ("2x1o + 0x0e + 3x0e + 1o + 1x0o", "1o + 0e", None),
        ("3x0e + 2x1o", "2x0e + 3x1o + 2e", "0e + 1o"),
        ("2x1e", "1o", "0o"),
        ("2x0e", "1o", "2e"),
    ],
)
def test_multiplicities_of_any_kind(irreps, harmonics, keep):
    given = problem(irreps, harmonics, keep)
    found, other = (derivatives(functools.partial(f, given), "value", "reverse")(given.arrays) for f in (ours, brute))
    close(found, other, 1e-13)
    x, y = (ic.IrrepsArray(i, given.arrays[name]) for i, name in ((irreps, "x"), (harmonics, "y")))
    irreps_out = jax.eval_shape(lambda: irr.edge_convolution(x, y, None, given.index, filter_ir_out=keep)).irreps
    assert irreps_out == given.out


def test_weights_as_an_array_or_none():
    a = GIVEN.arrays
    x, y = ic.IrrepsArray(GIVEN.irreps, a["x"]), ic.IrrepsArray(GIVEN.harmonics, a["y"])

    def with_weights(w):
        return irr.edge_convolution(x, y, w, GIVEN.index, filter_ir_out=KEEP).array

    def by_network(p):
        return with_weights(network(p, a["q"], a["d"]))

    value, gradient = jax.jit(lambda p: (by_network(p), reverse(by_network)(p)))(a["p"])
    close(value, expected()["value"], 1e-13)
    close(gradient, expected()["reverse"]["p"], 1e-13)
    ones = jnp.ones((EDGES, GIVEN.out.num_irreps))
    scalars = ic.IrrepsArray(f"{GIVEN.out.num_irreps}x0e", ones)
    none, of_ones, of_scalars = jax.jit(lambda w, s: [with_weights(v) for v in (None, w, s)])(ones, scalars)
    close(none, of_ones, 1e-13)
    close(of_scalars, of_ones, 1e-13)


@pytest.mark.parametrize(
    ("options", "tile_edges"),
    [({"num_rows": 40}, 16), ({"num_rows": "bound", "width": 4}, 1000), ({"width": 8}, 1), ({"width": 1}, 5)],
)
def test_the_layout_and_the_tiles_change_nothing(options, tile_edges):
    index = irr.EdgeIndex.from_edges(GIVEN.senders, GIVEN.receivers, NODES, **options)
    close(run(GIVEN, GIVEN.arrays, edges=index, tile_edges=tile_edges), expected()["value"], 1e-13)


def test_the_order_of_the_edges_changes_nothing():
    order = np.random.default_rng(1).permutation(EDGES)
    shuffled = {**GIVEN.arrays, "y": GIVEN.arrays["y"][order], "d": GIVEN.arrays["d"][order]}
    senders, receivers = GIVEN.senders[order], GIVEN.receivers[order]
    close(run(GIVEN, shuffled, edges=(senders, receivers), num_nodes=NODES), expected()["value"], 1e-13)
    traced = jax.jit(lambda s, r: ours(GIVEN, shuffled, edges=(s, r), num_nodes=NODES))
    close(traced(senders, receivers), expected()["value"], 1e-13)


def test_data_of_padding_contribute_nothing():
    padding = jnp.array([EDGES - 2, EDGES - 1])
    poisoned = {**GIVEN.arrays, **{n: GIVEN.arrays[n].at[padding].set(jnp.nan) for n in ("y", "d")}}
    found = derivatives(functools.partial(ours, GIVEN), "value", "reverse")(poisoned)
    close(found, {name: expected()[name] for name in found}, 1e-13)


def test_an_edge_twice_counts_twice():
    a = {**GIVEN.arrays, **{n: jnp.concatenate([GIVEN.arrays[n]] * 2) for n in ("y", "d")}}
    twice = (np.tile(GIVEN.senders, 2), np.tile(GIVEN.receivers, 2))
    close(run(GIVEN, a, edges=twice, num_nodes=NODES), 2 * expected()["value"], 1e-13)


def test_it_commutes_with_rotations():
    angles = (0.3, 1.1, -0.7)
    D = [jnp.asarray(ic.Irreps(i).D_from_angles(*angles)) for i in (GIVEN.irreps, GIVEN.harmonics, GIVEN.out)]
    a = {**GIVEN.arrays, "x": GIVEN.arrays["x"] @ D[0].T, "y": GIVEN.arrays["y"] @ D[1].T}
    close(run(GIVEN, a), expected()["value"] @ D[2].T, 1e-13)


def test_bipartite_graphs():
    """Senders beyond the third are copies of the first ones, so that the graph with and without them is the same."""
    a = GIVEN.arrays
    few, all_of_them = a["x"][:3], a["x"][:3][jnp.arange(NODES) % 3]
    senders = np.where(GIVEN.senders < 0, 3, GIVEN.senders % 3)
    index = irr.EdgeIndex.from_edges(senders, GIVEN.receivers, NODES, num_senders=3)
    found = run(GIVEN, {**a, "x": few}, edges=index)
    close(found, run(GIVEN, {**a, "x": all_of_them}), 1e-13)
    close(run(GIVEN, {**a, "x": few}, edges=(senders, GIVEN.receivers), num_nodes=NODES), found, 1e-13)


def test_batches_of_features():
    a = GIVEN.arrays
    many = jnp.stack([a["x"], -2 * a["x"], a["x"] ** 2], 1)

    def of(f):
        def value(x):
            return f(GIVEN, {**a, "x": x})

        return jax.jit(jax.vmap(lambda x: (value(x), reverse(value)(x)), 1))

    close(of(ours)(many), of(brute)(many), 1e-13)


def test_batches_of_graphs():
    rng = np.random.default_rng(2)
    senders, receivers = rng.integers(0, NODES, (3, EDGES)), rng.integers(0, NODES + 1, (3, EDGES))

    def gradient(s, r):
        return reverse(lambda x: ours(GIVEN, {**GIVEN.arrays, "x": x}, edges=(s, r), num_nodes=NODES))(
            GIVEN.arrays["x"]
        )

    single = jax.jit(gradient)
    close(jax.jit(jax.vmap(gradient))(senders, receivers), jnp.stack([*map(single, senders, receivers)]), 1e-13)


def test_inside_scan_and_remat():
    def layers(f, a):
        def layer(x, p):
            y = ic.IrrepsArray(GIVEN.out, f(GIVEN, {**a, "x": x, "p": p}))
            return x + y.filter(keep="0e")[..., :3].array @ jnp.ones((3, x.shape[1])), None

        return jax.lax.scan(jax.checkpoint(layer), a["x"], jnp.stack([a["p"], 2 * a["p"]]))[0]

    found, other = (jax.jit(reverse(functools.partial(layers, f)))(GIVEN.arrays) for f in (ours, brute))
    close(found, other, 1e-12)


def test_its_gradient_can_be_exported():
    exported = jax.export.export(derivatives(functools.partial(ours, GIVEN), "reverse"))(GIVEN.arrays)
    found = jax.export.deserialize(exported.serialize()).call(GIVEN.arrays)
    close(found["reverse"], expected()["reverse"], 1e-13)


def all_sizes(jaxpr, sizes):
    """The sizes of all arrays of a program and of the programs in it."""
    for eqn in jaxpr.eqns:
        sizes.extend(v.aval.size for v in eqn.outvars)
        for value in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda v: hasattr(v, "eqns")):
            if hasattr(value, "eqns"):
                all_sizes(getattr(value, "jaxpr", value), sizes)
    return sizes


def test_neither_messages_nor_weights_are_stored():
    """Neither for values nor for derivatives: no array of the program is as large as half of all weights."""
    given = problem("4x0e + 4x1o", "0e + 1o", nodes=8, edges=1000)
    program = derivatives(functools.partial(ours, given, tile_edges=16), "value", "reverse over reverse")
    limit = 1000 * given.out.num_irreps // 2
    traced = program.trace(given.arrays)
    assert max(all_sizes(traced.jaxpr.jaxpr, [])) < limit
    # XLA allocates inputs and results a few times, and a tile.
    memory = traced.lower().compile().memory_analysis()
    if memory is not None:
        assert memory.temp_size_in_bytes / 8 < limit + 2 * sum(v.size for v in given.arrays.values())


def test_the_executor_edge_rows_is_chosen_and_refuses_other_products():
    w, x, y = (irr.compute.Operand(n, (4, *c)) for n, c in ((1, (2,)), (3, (2,)), (3, ())))
    scalar = irr.compute.Path(
        (0, 1, 2), 0, ("eu", "eu", "e", "u"), irr.compute.Coefficients.from_dense(np.eye(3)[None, :, :, None])
    )
    contraction = irr.compute.Contraction(
        irr.compute.Polynomial((w, x, y), (irr.compute.Operand(1, (2,)),), (scalar,)), 10, (), "float32"
    )
    assert irr.compute.why_not("edge_rows", contraction) is None
    assert irr.compute.cheapest("reference", "edge_rows", "xla")(contraction).name == "edge_rows"
    square = irr.compute.Path((0, 0), 0, ("u", "u", "u"), irr.compute.Coefficients.from_dense(np.eye(3)[:, :, None]))
    other = irr.compute.Contraction(
        irr.compute.Polynomial((irr.compute.Operand(3, (8,)),), (irr.compute.Operand(1, (8,)),), (square,)),
        10,
        (),
        "float32",
    )
    assert "of a row" in irr.compute.why_not("edge_rows", other)


def test_an_executor_that_does_not_support_the_products_is_named():
    given = problem("2x0e", "2x1o")
    with pytest.raises(ValueError, match=r"edge_rows: it .*computes products"):
        ours(given, given.arrays, executor="edge_rows")


def test_sums_without_terms_are_zero():
    x, y = ic.IrrepsArray("2x0e", jnp.ones((3, 2))), ic.IrrepsArray("1o", jnp.ones((4, 3)))

    def radial(d):
        return d @ jnp.ones((1, 2))

    def convolve(x, y, edges, n):
        return irr.edge_convolution(x, y, radial, edges, edge_data=jnp.ones((y.shape[0], 1)), num_nodes=n)

    none, padding = np.zeros(0, int), ([3] * 4, [0] * 4)
    assert convolve(x, y[:0], (none, none), 3).shape == (3, 6)
    assert convolve(x[:0], y, ([0] * 4, [0] * 4), 0).shape == (0, 6)
    assert convolve(x[:0], y[:0], (none, none), 0).irreps == "2x1o"

    def total(a):
        return convolve(ic.IrrepsArray("2x0e", a), y, padding, 3).array.sum()

    value, gradient = jax.jit(jax.value_and_grad(total))(x.array)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
    zero = ic.IrrepsArray("2x0e + 1o", jnp.zeros((3, 5)), zero_flags=(False, True))
    result = irr.edge_convolution(zero, y, None, ([0] * 4, [1] * 4), num_nodes=3)
    assert result.irreps == "1x0e + 2x1o + 1x1e + 1x2e"
    assert result.zero_flags == (True, False, True, True)


def wrong(**changed):
    given, a = GIVEN, GIVEN.arrays
    arguments = {
        "x": ic.IrrepsArray(given.irreps, a["x"]),
        "harmonics": ic.IrrepsArray(given.harmonics, a["y"]),
        "weights": functools.partial(network, a["p"], a["q"]),
        "edges": given.index,
        "edge_data": a["d"],
        "filter_ir_out": KEEP,
    }
    arguments.update({name: value(arguments) if callable(value) else value for name, value in changed.items()})
    return irr.edge_convolution(**arguments)


WRONG = {
    "x": ({"x": lambda a: a["x"][:3]}, ValueError, r"x of shape \(5, irreps\), one row for each sender, got \(3, 12\)"),
    "one node": ({"x": lambda a: a["x"][0]}, ValueError, r"x of shape .* got \(12,\); use jax.vmap"),
    "harmonics": ({"harmonics": lambda a: a["harmonics"][:3]}, ValueError, r"harmonics of shape \(14, irreps\)"),
    "weights": (
        {"weights": jnp.ones((14, 2)), "edge_data": None},
        ValueError,
        r"weights of shape \(14, 12\), .* got \(14, 2\)",
    ),
    "complex weights": (
        {"weights": jnp.ones((14, 12), complex), "edge_data": None},
        ValueError,
        "real numbers, got dtype complex128",
    ),
    "function": ({"weights": lambda _: lambda d: d}, ValueError, r"an array of shape \(edges, 12\), .* got \(\d+, 3\)"),
    "no data": ({"edge_data": None}, ValueError, r"edge_data of arrays of shape \(14, ...\)"),
    "data": ({"edge_data": jnp.ones((3, 3))}, ValueError, r"\(14, ...\), .* got shapes \[\(3, 3\)\]"),
    "data without function": ({"weights": None}, ValueError, "edge_data only with weights that are a function"),
    "edges": ({"edges": "all"}, TypeError, "EdgeIndex or .senders, receivers., got"),
    "no number": ({"edges": ([0] * 14, [0] * 14)}, ValueError, "num_nodes with edges"),
    "other number": ({"num_nodes": 7}, ValueError, "num_nodes=5 as in edges, got 7"),
    "tile": ({"tile_edges": 0}, ValueError, "tile_edges of 1 or more, got 0"),
    "normalization": ({"irrep_normalization": "some"}, ValueError, "irrep_normalization must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_expected_and_the_received_argument(case):
    changed, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        wrong(tile_edges=8, **changed) if "tile_edges" not in changed else wrong(**changed)


def test_gradients_of_tiles_accumulate_in_float32() -> None:
    """Ones for each of 3,000 edges: in bfloat16 a sum of ones would stop at 256."""
    edges = irr.EdgeIndex.from_edges(np.zeros(3000, int), np.zeros(3000, int), 1)
    ones = irr.ones("0e", (3000,), dtype=jnp.bfloat16)

    def total(x: jax.Array, matrix: jax.Array) -> jax.Array:
        features = irr.IrrepsArray("0e", x)
        out = irr.edge_convolution(features, ones, (ones.array, matrix), edges, tile_edges=64, executor="xla")
        return jnp.sum(out.array)

    one = jnp.ones((1, 1), jnp.bfloat16)
    for found in (total(one, one), *jax.grad(total, (0, 1))(one, one)):
        np.testing.assert_allclose(np.asarray(found, float), 3000, atol=8)
