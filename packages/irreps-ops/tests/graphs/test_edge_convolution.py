"""The convolution over edges against its definition: gather, tensor product, weights, sum."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

NODES, EDGES = 5, 14
KEEP = "0e + 1o"


def problem(irreps="3x0e + 3x1o", harmonics="0e + 1o", keep=KEEP, seed=0, dtype=float, nodes=NODES, edges=EDGES):
    """Features, vectors and parameters of a radial network, on a graph with two padding edges."""
    rng = np.random.default_rng(seed)
    senders, receivers = rng.integers(0, nodes, edges), rng.integers(0, nodes, edges)
    receivers[-1:], senders[-2:-1] = nodes, -1
    out = irr.tensor_product(irreps, harmonics, filter_ir_out=keep)
    shapes = {"x": (nodes, ic.Irreps(irreps).dim), "y": (edges, ic.Irreps(harmonics).dim), "d": (edges, 3)}
    shapes |= {"p": (3, 4), "q": (4, out.num_irreps)}
    arrays = {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}
    return SimpleNamespace(
        irreps=irreps, harmonics=harmonics, keep=keep, senders=senders, receivers=receivers, out=out, arrays=arrays,
        nodes=nodes, index=irr.EdgeIndex.from_edges(senders, receivers, nodes),
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


def summed(f):
    """A scalar, whose derivatives of every order are not zero and stay of order 1."""
    return lambda a: jnp.sum(jnp.sin(f(a) / 4))


def again(f):
    """The gradient of a scalar made of the gradient: reverse over reverse."""
    return jax.grad(lambda a: sum(jnp.sum(jnp.sin(g / 4)) for g in jax.tree.leaves(f(a))))


def along(f):
    """The derivative in the direction of the arguments: forward mode."""
    return lambda a: jax.jvp(f, (a,), (a,))[1]


DERIVATIVES = {
    "value": lambda f: f,
    "forward": along,
    "reverse": lambda f: jax.grad(summed(f)),
    "forward over reverse": lambda f: along(jax.grad(summed(f))),
    "reverse over reverse": lambda f: again(jax.grad(summed(f))),
    "reverse over forward": lambda f: jax.grad(lambda a: jnp.sum(jnp.sin(along(f)(a) / 4))),
    "third": lambda f: again(again(jax.grad(summed(f)))),
}


@pytest.mark.slow
@pytest.mark.parametrize("order", DERIVATIVES)
def test_it_and_its_derivatives_are_those_of_the_definition(order):
    given, derivative = problem(), DERIVATIVES[order]
    found = jax.jit(derivative(functools.partial(ours, given)))(given.arrays)
    close(found, jax.jit(derivative(functools.partial(brute, given)))(given.arrays), 1e-13)
    if order in ("value", "reverse", "reverse over reverse"):
        close(jax.jit(derivative(functools.partial(ours, given, executor="reference")))(given.arrays), found, 1e-13)


@pytest.mark.parametrize("order", ["value", "reverse over reverse"])
def test_single_precision_and_strict_promotion(order):
    given, derivative = problem(dtype=jnp.float32), DERIVATIVES[order]
    expected = jax.jit(derivative(functools.partial(brute, given)))(given.arrays)
    with jax.numpy_dtype_promotion("strict"):
        close(jax.jit(derivative(functools.partial(ours, given)))(given.arrays), expected, 1e-5)


@pytest.mark.parametrize(
    ("irreps", "harmonics", "keep"),
    [
        ("5x0e + 3x1o + 2x2e", "0e + 1o + 2e + 3o", "1o + 2e"),
        ("2x1o + 0x0e + 3x0e + 1o + 1x0o", "1o + 0e", None),
        ("3x0e + 2x1o", "2x0e + 3x1o + 2e", "0e + 1o"),
        ("2x1e", "1o", "0o"),
        ("2x0e", "1o", "2e"),
    ],
)
def test_multiplicities_of_any_kind(irreps, harmonics, keep):
    given = problem(irreps, harmonics, keep)
    close(ours(given, given.arrays), brute(given, given.arrays), 1e-13)
    found, expected = (jax.jit(jax.grad(summed(functools.partial(f, given))))(given.arrays) for f in (ours, brute))
    close(found, expected, 1e-13)
    x, y = ic.IrrepsArray(irreps, given.arrays["x"]), ic.IrrepsArray(harmonics, given.arrays["y"])
    assert irr.edge_convolution(x, y, None, given.index, filter_ir_out=keep).irreps == given.out


def test_weights_as_an_array_or_none():
    given = problem()
    a = given.arrays
    x, y = ic.IrrepsArray(given.irreps, a["x"]), ic.IrrepsArray(given.harmonics, a["y"])

    def with_array(w):
        return irr.edge_convolution(x, y, w, given.index, filter_ir_out=KEEP).array

    w = network(a["p"], a["q"], a["d"])
    close(with_array(w), brute(given, a), 1e-13)
    by_array = jax.vjp(with_array, w)[1](brute(given, a))[0]
    close(jax.vjp(lambda p: network(p, a["q"], a["d"]), a["p"])[1](by_array)[0],
          jax.vjp(lambda p: brute(given, {**a, "p": p}), a["p"])[1](brute(given, a))[0], 1e-13)  # fmt: skip
    close(with_array(None), with_array(jnp.ones_like(w)), 1e-13)
    close(with_array(ic.IrrepsArray(f"{w.shape[1]}x0e", w)), with_array(w), 1e-13)


def test_permuted_edges_padding_and_chunks_change_nothing():
    given = problem()
    a, expected = given.arrays, brute(given, given.arrays)
    order = np.random.default_rng(1).permutation(EDGES)
    shuffled = {**a, "y": a["y"][order], "d": a["d"][order]}
    raw = (given.senders[order], given.receivers[order])
    close(ours(given, shuffled, edges=raw, num_nodes=NODES), expected, 1e-13)
    in_jit = jax.jit(lambda s, r: ours(given, shuffled, edges=(s, r), num_nodes=NODES))
    close(in_jit(*raw), expected, 1e-13)
    for options in ({"num_rows": 40}, {"num_rows": "bound", "width": 1}, {"width": 8}):
        index = irr.EdgeIndex.from_edges(given.senders, given.receivers, NODES, **options)
        for tile_edges in (1, 16, 1000):
            close(ours(given, a, edges=index, tile_edges=tile_edges), expected, 1e-13)


def test_data_of_padding_are_never_looked_at():
    given = problem()
    padding = jnp.array([EDGES - 2, EDGES - 1])
    poisoned = {**given.arrays, **{n: given.arrays[n].at[padding].set(jnp.nan) for n in ("y", "d")}}
    gradient = jax.jit(jax.grad(summed(functools.partial(ours, given))))
    close(ours(given, poisoned), brute(given, given.arrays), 1e-13)
    close(gradient(poisoned), gradient(given.arrays), 1e-13)


def test_an_edge_twice_counts_twice():
    given = problem()
    a = {**given.arrays, **{n: jnp.concatenate([given.arrays[n]] * 2) for n in ("y", "d")}}
    twice = (np.tile(given.senders, 2), np.tile(given.receivers, 2))
    close(ours(given, a, edges=twice, num_nodes=NODES), 2 * brute(given, given.arrays), 1e-13)


def test_it_commutes_with_rotations():
    given = problem()
    a = given.arrays
    angles = (0.3, 1.1, -0.7)
    D = [jnp.asarray(ic.Irreps(i).D_from_angles(*angles)) for i in (given.irreps, given.harmonics, given.out)]
    turned = {**a, "x": a["x"] @ D[0].T, "y": a["y"] @ D[1].T}
    close(ours(given, turned), ours(given, a) @ D[2].T, 1e-13)


def test_bipartite_graphs():
    given = problem()
    a = {**given.arrays, "x": given.arrays["x"][:3]}
    senders = given.senders % 3
    index = irr.EdgeIndex.from_edges(senders, given.receivers, NODES, num_senders=3)
    expected = brute(SimpleNamespace(**{**vars(given), "senders": senders}), a)
    close(ours(given, a, edges=index), expected, 1e-13)
    close(ours(given, a, edges=(senders, given.receivers), num_nodes=NODES), expected, 1e-13)


def test_batches():
    given = problem()
    a = given.arrays
    many = jnp.stack([a["x"], -2 * a["x"], a["x"] ** 2], 1)

    def of(f):
        return lambda x: f(given, {**a, "x": x})

    for derivative in (lambda f: f, lambda f: jax.grad(lambda x: jnp.sum(jnp.sin(f(x))))):
        found, expected = (jax.jit(jax.vmap(derivative(of(f)), 1))(many) for f in (ours, brute))
        close(found, expected, 1e-13)
    # A graph of its own for each: one after the other.
    rng = np.random.default_rng(2)
    senders, receivers = rng.integers(0, NODES, (3, EDGES)), rng.integers(0, NODES + 1, (3, EDGES))

    def gradient(s, r, x):
        return jax.grad(lambda x: jnp.sum(jnp.sin(ours(given, {**a, "x": x}, edges=(s, r), num_nodes=NODES))))(x)

    found = jax.jit(jax.vmap(gradient, (0, 0, 1)))(senders, receivers, many)
    for n in range(3):
        close(found[n], jax.jit(gradient)(senders[n], receivers[n], many[:, n]), 1e-13)


def test_inside_scan_remat_and_export():
    given = problem()

    def layers(f, a):
        def layer(x, p):
            y = ic.IrrepsArray(given.out, f(given, {**a, "x": x, "p": p}))
            return x + y.filter(keep="0e")[..., :3].array @ jnp.ones((3, x.shape[1])), None

        return jax.lax.scan(jax.checkpoint(layer), a["x"], jnp.stack([a["p"], 2 * a["p"]]))[0]

    found, expected = (jax.jit(jax.grad(summed(functools.partial(layers, f))))(given.arrays) for f in (ours, brute))
    close(found, expected, 1e-12)
    gradient = jax.jit(jax.grad(summed(functools.partial(ours, given))))
    exported = jax.export.export(gradient)(given.arrays)
    close(jax.export.deserialize(exported.serialize()).call(given.arrays), gradient(given.arrays), 1e-13)


def all_sizes(jaxpr, sizes):
    """The sizes of all arrays of a program and of the programs in it."""
    for eqn in jaxpr.eqns:
        sizes.extend(v.aval.size for v in eqn.outvars)
        for value in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda v: hasattr(v, "eqns")):
            if hasattr(value, "eqns"):
                all_sizes(getattr(value, "jaxpr", value), sizes)
    return sizes


@pytest.mark.parametrize("order", ["value", "reverse", "reverse over reverse"])
def test_neither_messages_nor_weights_exist(order):
    given = problem("4x0e + 4x1o", "0e + 1o", nodes=8, edges=1000)
    run = jax.jit(DERIVATIVES[order](functools.partial(ours, given, tile_edges=16)))
    limit = 1000 * given.out.num_irreps // 2
    assert max(all_sizes(run.trace(given.arrays).jaxpr.jaxpr, [])) < limit
    # What XLA allocates: inputs and results a few times, and a chunk.
    memory = run.lower(given.arrays).compile().memory_analysis()
    if memory is not None:
        numbers = memory.temp_size_in_bytes / 8
        assert numbers < limit + 2 * sum(v.size for v in given.arrays.values())


def test_the_executor_of_edge_rows_is_taken_and_refuses_what_it_cannot():
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
    assert "edges e of a row" in irr.compute.why_not("edge_rows", other)


def test_an_executor_that_cannot_is_named():
    given = problem("2x0e", "2x1o")
    with pytest.raises(ValueError, match="edge_rows: it computes products"):
        ours(given, given.arrays, executor="edge_rows")


def test_nothing_to_add_up():
    x, y = ic.IrrepsArray("2x0e", jnp.ones((3, 2))), ic.IrrepsArray("1o", jnp.ones((4, 3)))

    def radial(d):
        return d @ jnp.ones((1, 2))

    def run(x, y, edges, n):
        return irr.edge_convolution(x, y, radial, edges, edge_data=jnp.ones((y.shape[0], 1)), num_nodes=n)

    none = np.zeros(0, int)
    assert run(x, y[:0], (none, none), 3).shape == (3, 6)
    assert run(x[:0], y, ([0] * 4, [0] * 4), 0).shape == (0, 6)
    assert run(x[:0], y[:0], (none, none), 0).irreps == "2x1o"
    padding = run(x, y, ([3] * 4, [0] * 4), 3)
    np.testing.assert_array_equal(padding.array, 0)
    gradient = jax.grad(lambda a: run(ic.IrrepsArray("2x0e", a), y, ([3] * 4, [0] * 4), 3).array.sum())(x.array)
    np.testing.assert_array_equal(gradient, 0)
    zero = ic.IrrepsArray("2x0e + 1o", jnp.zeros((3, 5)), zero_flags=(False, True))
    result = irr.edge_convolution(zero, y, None, ([0] * 4, [1] * 4), num_nodes=3)
    assert result.irreps == "1x0e + 2x1o + 1x1e + 1x2e"
    assert result.zero_flags == (True, False, True, True)


def wrong(**changed):
    given = problem()
    a = given.arrays
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
    "chunk": ({"tile_edges": 0}, ValueError, "tile_edges of 1 or more, got 0"),
    "normalization": ({"irrep_normalization": "some"}, ValueError, "irrep_normalization must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_told_what_was_expected_and_found(case):
    changed, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        wrong(tile_edges=8, **changed) if "tile_edges" not in changed else wrong(**changed)
