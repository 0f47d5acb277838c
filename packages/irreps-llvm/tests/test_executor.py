"""The executor `llvm`: agreement with the reference, programs by interpreter and machine code, and its place in JAX."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_ops as irr
from irreps_llvm import EXECUTOR
from irreps_llvm._executor import generated, key_of
from irreps_llvm.generator import Registers
from irreps_llvm.generator._sizes import sizes_of
from irreps_llvm.program import interpret, printed
from irreps_llvm.runtime import unavailable
from irreps_ops.compute import (
    BROADCAST,
    Coefficients,
    Contraction,
    Index,
    Operand,
    Path,
    Polynomial,
    Views,
    checked,
    evaluate,
    use_executor,
)
from irreps_ops.compute._dispatch import choose
from irreps_ops.graphs import _edge_convolution
from irreps_ops.testing import check_executor
from irreps_ops.testing._executor_cases import random_cases

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


def test_conformance() -> None:
    check_executor("llvm", dtypes=["float32"])


# Odd numbers of channels and shapes of graphs


def convolution(channels: int, hidden: int | None = 5, degrees: tuple[int, int, int] = (1, 1, 1)) -> Polynomial:
    """Return a convolution of two couplings over a graph, with factored weights or weights of each edge."""
    l1, l2, l3 = (2 * degree + 1 for degree in degrees)
    coefficients = np.random.default_rng(1).normal(size=(l1, l2, l3)) * (
        np.arange(l1 * l2 * l3).reshape(l1, l2, l3) % 2
    )
    x = Operand(l1, (channels,), Index("senders"), "x", components_last=True)
    out = Operand(l3, (channels,), Index("receivers"), "out", components_last=True)
    weights = (
        Operand(1, (channels,), name="weights") if hidden is None else Operand(1, (hidden, channels), BROADCAST, "V")
    )
    first = () if hidden is None else (Operand(1, (hidden,), name="h"),)
    inputs = (*first, x, Operand(l2, name="harmonics"), weights)
    dense = coefficients[(None,) * len(first)][..., None, :]
    subscripts = (*("b",) * len(first), "a", "", "ba" if first else "a", "a")
    path = Path(tuple(range(len(inputs))), 0, subscripts, Coefficients.from_dense(dense))
    return Polynomial(inputs, (out,), (path,))


def arrays(contraction: Contraction, seed: int = 0) -> list[np.ndarray]:
    """Return random inputs."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=contraction.shape(o)).astype(contraction.dtype) for o in contraction.polynomial.inputs]


def graph(edges: int, nodes: int, kind: str) -> dict[str, np.ndarray]:
    """Return senders and receivers, some of them out of range."""
    rng = np.random.default_rng(edges)
    senders, receivers = rng.integers(-1, nodes + 1, (2, edges))
    if kind == "one receiver":
        receivers = np.full(edges, nodes - 1)
    if kind == "sorted":
        receivers = np.sort(receivers)
    return {"senders": senders.astype(np.int32), "receivers": receivers.astype(np.int32)}


def both(
    function: Callable[[Any], Callable[..., Any]], inputs: Sequence[Any], tolerance: float, *, executor: Any = "llvm"
) -> None:
    """Require that an executor and the reference agree."""
    ours, expected = jax.jit(lambda *a: (function(executor)(*a), function("reference")(*a)))(*inputs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(float(np.max(np.abs(b), initial=0)), 1e-30))


@pytest.mark.parametrize(
    ("channels", "edges", "nodes", "kind"),
    [
        (1, 0, 3, "random"),
        (3, 1, 1, "random"),
        (17, 200, 1, "one receiver"),
        (17, 300, 40, "random"),
        (64, 500, 7, "sorted"),
    ],
)
@pytest.mark.parametrize("hidden", [5, None])
def test_convolutions_of_odd_sizes_and_their_gradients(
    channels: int, edges: int, nodes: int, kind: str, hidden: int | None
) -> None:
    polynomial = convolution(channels, hidden)
    contraction = Contraction(polynomial, edges, (("senders", nodes), ("receivers", nodes)), "float64")
    indices, sizes = graph(edges, nodes, kind), {"receivers": nodes}

    def gradient(executor: str) -> Callable[..., Any]:
        def total(*inputs: Any) -> Any:
            (y,) = evaluate(polynomial, inputs, indices, sizes=sizes, executor=executor)
            return jnp.sum(jnp.sin(y)), y

        return jax.value_and_grad(total, tuple(range(len(polynomial.inputs))), has_aux=True)

    both(gradient, arrays(contraction), 1e-12)


def test_a_million_edges() -> None:
    edges, nodes, rng = 1_000_000, 1_000, np.random.default_rng(0)
    polynomial = convolution(1, hidden=None, degrees=(0, 1, 1))
    senders, receivers = (rng.integers(0, nodes, edges).astype(np.int32) for _ in range(2))
    contraction = Contraction(polynomial, edges, (("senders", nodes), ("receivers", nodes)), "float64")
    x, y, w = arrays(contraction)
    (found,) = evaluate(
        polynomial,
        [x, y, w],
        {"senders": senders, "receivers": receivers},
        sizes={"receivers": nodes},
        executor="llvm",
    )
    dense = polynomial.paths[0].coefficients.dense((1, 3, 1, 3))
    messages = np.einsum("ei,ij->ej", (x[senders, 0] * w[:, 0]) * y, dense[0, :, 0])
    expected = np.stack([np.bincount(receivers, m, nodes) for m in messages.T], -1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2x0e + 1o + 3x0e + 2x1o", "0e + 2x1o + 4x0e"),  # products of different lengths are added up
        ("16x0e + 8x1o + 8x2e", "8x2e + 16x1o + 3x3e + 8x0e"),  # whole vectors are written to the result
    ],
)
def test_linear_maps(a: str, b: str) -> None:
    linear = irr.FunctionalLinear(a, b)
    rng = np.random.default_rng(0)
    weights = [jnp.asarray(rng.normal(size=path.path_shape)) for path in linear.weights]

    def gradient(executor: Any) -> Callable[..., Any]:
        def total(x: Any, *weights: Any) -> Any:
            y = use_executor(lambda w, x: linear(w, irr.IrrepsArray(a, x)).array, executor)(list(weights), x)
            return jnp.sum(jnp.sin(y)), y

        return jax.value_and_grad(total, tuple(range(1 + len(weights))), has_aux=True)

    for executor in ("llvm", Interpreter(Registers(16, 32))):
        both(gradient, [rng.normal(size=(7, irr.Irreps(a).dim)), *weights], 1e-12, executor=executor)


def test_no_channels_give_empty_arrays() -> None:
    polynomial = convolution(0)
    inputs = arrays(Contraction(polynomial, 4, (("senders", 3), ("receivers", 3)), "float32"))
    (y,) = evaluate(polynomial, inputs, graph(4, 3, "random"), sizes={"receivers": 3}, executor="llvm")
    assert y.shape == (3, 0, 3)


# Interpreter and machine code


class Interpreter(type(EXECUTOR)):
    """Runs the same programs with NumPy."""

    name = "interpreter"

    def __init__(self, registers: Registers | None = None, scatter: bool = True) -> None:
        self.registers, self.scatter = registers or Registers(32, 16), scatter

    def run_on_views(self, contraction: Contraction, views: Views, arrays: Any, indices: Any) -> list[jax.Array]:
        """Interpret the program of a contraction, for another machine than this one."""
        key = key_of(contraction, views)._replace(registers=self.registers, scatter=self.scatter)
        code, sizes, outputs = generated(key), sizes_of(contraction), views.output_types(contraction)

        def on_host(*given: Any) -> list[np.ndarray]:
            results = [np.full(int(np.prod(o.shape)), np.nan, o.dtype) for o in outputs]
            for w in code.workspaces:
                dtype = contraction.dtype if w.element == "float" else np.dtype(w.element)
                results.append(np.full(w.length(sizes), np.nan if dtype.kind == "f" else -(2**31), dtype))
            interpret(code.program, [np.ravel(np.asarray(a)) for a in given], results, sizes)
            return [r.reshape(o.shape) for r, o in zip(results, outputs, strict=False)]

        ordered = [indices[name].astype(jnp.int32) for name in contraction.polynomial.indices]
        return list(jax.pure_callback(on_host, outputs, *arrays, *ordered))


@pytest.mark.parametrize("executor", ["llvm", Interpreter()], ids=["machine code", "interpreter"])
def test_random_polynomials_and_their_gradients(executor: Any) -> None:
    for case in random_cases(8, seed=11):

        def derivatives(executor: Any, case: Any = case) -> Callable[..., Any]:
            def total(*inputs: Any) -> Any:
                return sum(
                    jnp.sum(jnp.sin(y))
                    for y in evaluate(case.polynomial, inputs, executor=executor, **case.arguments())
                )

            return jax.grad(total, tuple(range(len(case.polynomial.inputs))))

        both(derivatives, case.inputs("float64"), 1e-11, executor=executor)


@pytest.mark.parametrize("registers", [Registers(64, 32), Registers(16, 32)], ids=["AVX-512", "NEON"])
def test_the_interpreter_reads_and_writes_parts_of_arrays(registers: Registers) -> None:
    check_executor(Interpreter(registers), dtypes=["float64"], only="parts")


@pytest.mark.parametrize("scatter", [True, False])
@pytest.mark.parametrize("registers", [Registers(64, 32), Registers(16, 32)], ids=["AVX-512", "NEON"])
def test_the_second_derivative_of_a_convolution_stays_inside_of_its_memory(registers: Registers, scatter: bool) -> None:
    polynomial, sizes = convolution(5, 7), (("senders", 3), ("receivers", 3))
    for _ in range(2):  # the interpreter refuses to read or write outside of an array, and unset memory is nan
        n = len(polynomial.inputs)
        polynomial = polynomial.derivative([True] * n).transpose([False] * n + [True] * n)
    contraction = Contraction(polynomial, 9, sizes, "float64")
    indices, inputs = graph(9, 3, "random"), arrays(contraction)
    ours = Interpreter(registers, scatter).run(contraction, inputs, {k: jnp.asarray(v) for k, v in indices.items()})
    expected = evaluate(polynomial, inputs, indices, sizes=dict(sizes), executor="reference")
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * float(jnp.max(jnp.abs(b))))


def test_a_program_is_printed_with_its_loops() -> None:
    contraction = Contraction(convolution(17), 20, (("senders", 3), ("receivers", 3)), "float32")
    text = EXECUTOR.explain(contraction)
    assert "sort by senders" in text
    assert "# matrix products for x" in text
    assert "fma of" in text
    code = generated(key_of(contraction)._replace(registers=Registers(64, 32)))
    assert len(printed(code.program, details=True)) > 5 * len(text)


# Precision


@pytest.mark.parametrize("stored", ["bfloat16", "float32"])
def test_sums_of_narrow_numbers_are_accumulated_in_float32(stored: str) -> None:
    edges = irr.EdgeIndex.from_edges(np.zeros(3000, int), np.zeros(3000, int), 1)
    x, y = (irr.IrrepsArray("0e", jnp.ones((n, 1), stored)) for n in (1, 3000))
    z = irr.edge_convolution(x, y, None, edges, executor="llvm")
    assert z.dtype == stored
    np.testing.assert_allclose(z.array.astype(jnp.float32), 3000, rtol=1e-2 if stored == "bfloat16" else 0)


# In JAX


def layer(executor: Any = None, tile_edges: int | None = None) -> Callable[..., jax.Array]:
    """Return a convolution of an energy with a radial network, as users write it."""
    rng = np.random.default_rng(0)
    senders, receivers = rng.integers(0, 12, (2, 70))
    edges = irr.EdgeIndex.from_edges(senders, receivers, 12)
    hidden, last = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((3, 6), (6, 12)))

    def energy(x: jax.Array, vectors: jax.Array) -> jax.Array:
        z = irr.edge_convolution(
            irr.IrrepsArray("3x0e + 3x1o", x),
            irr.spherical_harmonics("0e + 1o", vectors, normalize=True),
            lambda v: 0.5 * jax.nn.silu(v @ hidden) @ last / 3,
            edges,
            edge_data=vectors,
            filter_ir_out="0e + 1o",
            executor=executor,
            tile_edges=tile_edges,
        )
        return jnp.sum(jnp.sin(z.array))

    return energy


def inputs_of_layer() -> tuple[jax.Array, jax.Array]:
    return jax.random.normal(jax.random.key(0), (12, 12)), jax.random.normal(jax.random.key(1), (70, 3))


def polynomials(function: Callable[..., Any], *args: Any) -> int:
    """Count the polynomials with hidden activations in a traced function."""
    return str(jax.make_jaxpr(function)(*args)).count("name='hidden'")


@pytest.mark.parametrize("hidden_bytes", [_edge_convolution.HIDDEN_BYTES, 200], ids=["at once", "in tiles"])
def test_a_radial_network_that_ends_with_a_matrix_is_fused(monkeypatch: pytest.MonkeyPatch, hidden_bytes: int) -> None:
    monkeypatch.setattr(_edge_convolution, "HIDDEN_BYTES", hidden_bytes)
    x, vectors = inputs_of_layer()
    assert polynomials(layer("llvm"), x, vectors) == 1
    assert polynomials(layer(tile_edges=32), x, vectors) == 0
    of_tiles = jax.jit(jax.hessian(lambda v: layer(tile_edges=32)(x, v)))(vectors[:70])
    whole = jax.jit(jax.hessian(lambda v: layer("llvm")(x, v)))(vectors[:70])
    np.testing.assert_allclose(whole, of_tiles, atol=3e-5 * float(jnp.max(jnp.abs(of_tiles))))


def test_transformations() -> None:
    x, vectors = inputs_of_layer()
    f = layer("llvm")
    expected = float(layer(tile_edges=32)(x, vectors))
    np.testing.assert_allclose(jax.jit(f)(x, vectors), expected, rtol=1e-5)
    stacked = jnp.stack([x, 2 * x, -x])
    one_by_one = jnp.stack([f(a, vectors) for a in stacked])
    np.testing.assert_allclose(jax.jit(jax.vmap(f, (0, None)))(stacked, vectors), one_by_one, rtol=2e-5)
    scanned = jax.lax.scan(lambda c, a: (c, f(a, vectors)), 0, stacked)[1]
    np.testing.assert_allclose(scanned, one_by_one, rtol=1e-6)
    gradient = jax.jit(jax.grad(f))(x, vectors)
    np.testing.assert_allclose(jax.jit(jax.grad(jax.checkpoint(f)))(x, vectors), gradient, rtol=1e-6, atol=1e-6)


def test_shard_map() -> None:
    x, vectors = inputs_of_layer()
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
    spec = jax.sharding.PartitionSpec("batch")
    sharded = jax.shard_map(
        lambda a: jax.vmap(lambda b: layer("llvm")(b, vectors))(a), mesh=mesh, in_specs=spec, out_specs=spec
    )
    np.testing.assert_allclose(jax.jit(sharded)(x[None])[0], layer()(x, vectors), rtol=1e-5)


def test_an_exported_program_needs_nothing_of_this_process() -> None:
    x, vectors = inputs_of_layer()
    exported = jax.export.export(jax.jit(layer()))(x, vectors)
    assert "irreps_llvm" not in exported.mlir_module()
    np.testing.assert_allclose(exported.call(x, vectors), layer()(x, vectors), rtol=1e-5)


def test_results_repeat_bitwise() -> None:
    x, vectors = inputs_of_layer()
    gradient = jax.jit(jax.grad(layer("llvm"), (0, 1)))
    first = gradient(x, vectors)
    for _ in range(100):
        for a, b in zip(first, gradient(x, vectors), strict=True):
            np.testing.assert_array_equal(a, b)


_THREADS = """
import hashlib, os, jax, numpy as np, irreps_ops as irr
n, rng = 3000, np.random.default_rng(0)
edges = irr.EdgeIndex.from_edges(*rng.integers(0, 100, (2, n)), 100)
x = irr.IrrepsArray("8x0e + 8x1o", rng.normal(size=(100, 32)).astype(np.float32))
y = irr.IrrepsArray("0e + 1o", rng.normal(size=(n, 4)).astype(np.float32))
h, v = rng.normal(size=(n, 8)).astype(np.float32), rng.normal(size=(8, 48)).astype(np.float32)
f = lambda x, y, h, v: (irr.edge_convolution(x, y, (h, v), edges, executor="llvm").array ** 2).sum()
found = jax.tree.leaves(jax.jit(jax.grad(f, (0, 1, 2, 3)))(x, y, h, v))
pool = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
print(sum("XLAEigen" in name for name in pool))
print(hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in found)).hexdigest())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts the threads of a process as Linux names them")
def test_results_do_not_depend_on_the_number_of_threads() -> None:
    """XLA makes as many threads as the variable NPROC says."""
    found = set()
    for threads in ("1", "2", "4"):
        command = [sys.executable, "-c", _THREADS]
        run = subprocess.run(
            command, env=os.environ | {"NPROC": threads}, capture_output=True, text=True, check=True, timeout=300
        )
        number, result = run.stdout.split()
        assert number == threads
        found.add(result)
    assert len(found) == 1


# Choice and faults


def test_it_is_chosen_where_it_is_cheaper_and_can_be_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    polynomial = convolution(64)
    contraction = Contraction(polynomial, 10_000, (("senders", 100), ("receivers", 100)), "float32", platform="cpu")
    assert choose(contraction).name == "llvm"
    linear = Path((0, 1), 0, ("u", "uw", "w"), Coefficients.from_dense(np.ones((1, 1, 1))))
    matrix = Polynomial((Operand(1, (128,)), Operand(1, (128, 128), BROADCAST)), (Operand(1, (128,)),), (linear,))
    assert choose(Contraction(matrix, 10_000, (), "float32", platform="cpu")).name == "xla"
    monkeypatch.setenv("IRREPS_EXECUTORS", "xla")
    assert choose(contraction).name == "xla"
    assert polynomials(layer(), *inputs_of_layer()) == 0


def test_use_executor_overrules() -> None:
    x, vectors = inputs_of_layer()
    text = jax.jit(use_executor(layer(), "xla")).lower(x, vectors).as_text()
    assert "irreps_llvm" not in text
    np.testing.assert_allclose(use_executor(layer(), "xla")(x, vectors), layer()(x, vectors), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"platform": "tpu"}, "not on tpu"),
        ({"exported": True}, "exported"),
        ({"dtype": "float16"}, "not in float16"),
    ],
)
def test_refusals_have_reasons(changes: dict[str, Any], reason: str) -> None:
    fields: dict[str, Any] = {"dtype": "float32", "platform": "cpu", **changes}
    contraction = partial(Contraction, convolution(4), 10, (("senders", 3), ("receivers", 3)))(**fields)
    assert reason in str(EXECUTOR.why_not(contraction))


def test_an_index_out_of_range_is_an_error_in_checked_code() -> None:
    polynomial = convolution(4)
    contraction = Contraction(polynomial, 3, (("senders", 2), ("receivers", 2)), "float32")
    indices = {"senders": np.array([0, 1, -5]), "receivers": np.array([0, 1, 0])}

    def run(*inputs: Any) -> Any:
        return evaluate(polynomial, inputs, indices, sizes={"receivers": 2}, executor="llvm")

    assert np.isfinite(run(*arrays(contraction))[0]).all()
    with pytest.raises(jax.errors.JaxRuntimeError, match="index 'senders' is -5 at position 2 of 3"):
        jax.block_until_ready(checked(run)(*arrays(contraction)))
