"""The program of test_several_devices.py: JAX with eight virtual devices, which must be set up before JAX starts.

Print a line of JSON for each check: its name, and the fault or null.
"""

import json
import os
import re
from collections.abc import Callable
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.compute import Access, Coefficients, Index, Operand, Path, Polynomial, evaluate

jax.config.update("jax_enable_x64", True)

EDGES, NODES, U = 64, 6, 4
RNG = np.random.default_rng(0)
MESH = Mesh(np.array(jax.devices()), ("batch",))
C112 = ic.clebsch_gordan(1, 1, 2)
CONVOLUTION = Polynomial(
    (
        Operand(1, (U,), name="weights"),
        Operand(3, (U,), Index("senders"), "x"),
        Operand(3, (), name="harmonics"),
        Operand(1, (U,), Access.BROADCAST, "scale"),
    ),
    (Operand(5, (U,), Index("receivers"), "messages"),),
    (Path((0, 1, 2, 3), 0, ("u", "u", "", "u", "u"), Coefficients.from_dense(C112[None][:, :, :, None])),),
)
FULL = Polynomial(
    (
        Operand(1, (U, U), Access.BROADCAST, "weights"),
        Operand(3, (U,), name="x"),
        Operand(3, (U,), name="y"),
    ),
    (Operand(5, (U,), name="product"), Operand(5, (), Access.BROADCAST, "total")),
    (
        Path((0, 1, 2), 0, ("uv", "u", "v", "v"), Coefficients.from_dense(C112[None])),
        Path((1, 2), 1, ("u", "u", ""), Coefficients.from_dense(C112)),
    ),
)
EXECUTORS = ("xla", "reference")


def normal(*shape: int) -> jax.Array:
    return jnp.asarray(RNG.normal(size=shape))


def edges() -> dict[str, jax.Array]:
    return {
        "senders": jnp.asarray(RNG.integers(0, NODES, EDGES)),
        "receivers": jnp.asarray(RNG.integers(0, NODES + 1, EDGES)),
    }


def difference(ours: Any, expected: Any) -> str | None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        if not np.allclose(a, b, atol=1e-11):
            return f"off by {np.max(np.abs(np.asarray(a) - np.asarray(b)))}"
    return None


def messages(w: Any, x: Any, y: Any, scale: Any, edges: Any, executor: Any) -> jax.Array:
    return evaluate(CONVOLUTION, [w, x, y, scale], edges, sizes={"receivers": NODES}, executor=executor)[0]


def edges_spread_over_devices(check_vma: bool, jit: bool = True) -> str | None:
    """A convolution whose edges are spread: values, forces, and gradients of a loss on forces."""
    arrays = (normal(EDGES, 1, U), normal(NODES, 3, U), normal(EDGES, 3), normal(1, U))
    index = edges()

    def loss(f: Callable[..., Any]) -> Callable[..., Any]:
        def energy(*a: Any) -> Any:
            return jnp.sum(jnp.sin(f(*a)))

        def of_forces(*a: Any) -> Any:
            return sum(jnp.sum(g**2) for g in jax.grad(energy, (0, 1, 2, 3))(*a))

        return lambda *a: (f(*a), jax.grad(energy, (0, 1, 2, 3))(*a), jax.grad(of_forces, (0, 1, 2, 3))(*a))

    for executor in EXECUTORS if jit else ("xla",):
        alone = jax.jit(loss(lambda *a, e=executor: messages(*a, index, e)))

        def part(w: Any, x: Any, y: Any, scale: Any, index: Any, executor: str = executor) -> Any:
            return jax.lax.psum(messages(w, x, y, scale, index, executor), "batch")

        specs = (P("batch"), P(), P("batch"), P(), P("batch"))
        apart = jax.shard_map(part, mesh=MESH, in_specs=specs, out_specs=P(), check_vma=check_vma)
        spread = loss(lambda *a, f=apart: f(*a, index)) if jit else (lambda *a, f=apart: (f(*a, index),))
        wrong = difference((jax.jit(spread) if jit else spread)(*arrays), alone(*arrays)[: None if jit else 1])
        if wrong:
            return f"{executor}: {wrong}"
    return None


def gradients_inside_of_shard_map() -> str | None:
    """Gradients to what all devices share are summed over devices by JAX, which must know that they differ."""
    arrays = (normal(EDGES, 1, U), normal(NODES, 3, U), normal(EDGES, 3), normal(1, U))
    index = edges()

    def energy(scale: Any, w: Any, x: Any, y: Any, index: Any) -> Any:
        return jnp.sum(messages(w, x, y, scale, index, None))

    w, x, y, scale = arrays
    specs = (P(), P("batch"), P(), P("batch"), P("batch"))
    apart = jax.jit(jax.shard_map(jax.grad(energy), mesh=MESH, in_specs=specs, out_specs=P()))
    forward = jax.shard_map(
        lambda *a: jax.lax.psum(jax.jvp(lambda s: energy(s, *a[1:]), a[:1], a[:1])[1], "batch"),
        mesh=MESH, in_specs=specs, out_specs=P(),
    )  # fmt: skip
    expected = jax.grad(energy)(scale, w, x, y, index)
    return difference(apart(scale, w, x, y, index), expected) or difference(
        jax.jit(forward)(scale, w, x, y, index), jnp.sum(expected * scale)
    )


def sums_that_are_not_completed_are_refused() -> str | None:
    """JAX knows that a sum over the rows of one device is not the same on all devices."""
    _, x, y = normal(1, U, U), normal(EDGES, 3, U), normal(EDGES, 3, U)

    def total(x: Any, y: Any) -> Any:
        return evaluate(FULL, [None, x, y])[1]

    try:
        jax.jit(jax.shard_map(total, mesh=MESH, in_specs=(P("batch"), P("batch")), out_specs=P()))(x, y)
    except ValueError as error:
        return None if "batch" in str(error) else f"another error: {error}"
    return "no error"


def rows_spread_under_plain_jit() -> str | None:
    """XLA partitions products row by row without communication, but for the sum over rows."""
    w, x, y = normal(1, U, U), normal(EDGES, 3, U), normal(EDGES, 3, U)
    rows, everywhere = NamedSharding(MESH, P("batch")), NamedSharding(MESH, P())
    for executor in EXECUTORS:

        def product(*a: Any, executor: str = executor) -> Any:
            return evaluate(FULL, a, executor=executor)

        def force(*a: Any, f: Any = product) -> Any:
            return jax.grad(lambda x: jnp.sum(jnp.sin(f(a[0], x, a[2])[0])))(a[1])

        placed = (jax.device_put(w, everywhere), jax.device_put(x, rows), jax.device_put(y, rows))
        for f, sums in ((product, 1), (force, 0)):
            compiled = jax.jit(f).lower(*placed).compile()
            found = compiled(*placed)
            wrong = difference(found, f(w, x, y))
            if wrong:
                return f"{executor}: {wrong}"
            first = jax.tree.leaves(found)[0]
            if not first.sharding.is_equivalent_to(rows, first.ndim):
                return f"{executor}: the rows of the result are {first.sharding}"
            words = re.findall(r" (all-gather|all-to-all|collective-permute|all-reduce)\(", compiled.as_text())
            if len(words) > sums or set(words) - {"all-reduce"}:
                return f"{executor}: communicates by {words}"
    return None


def explicit_mesh_with_auto_axes() -> str | None:
    """On a mesh with axes of type Explicit the operation is wrapped by `auto_axes`."""
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Explicit,))
    w, x, y = normal(1, U, U), normal(EDGES, 3, U), normal(EDGES, 3, U)
    expected = evaluate(FULL, [w, x, y])[0]
    with jax.set_mesh(mesh):
        placed = (jax.device_put(w, P()), jax.device_put(x, P("batch")), jax.device_put(y, P("batch")))
        product = jax.sharding.auto_axes(lambda *a: evaluate(FULL, a)[0], out_sharding=P("batch"))
        return difference(jax.jit(product)(*placed), expected)


def operations_spread_over_devices() -> str | None:
    """Operations on IrrepsArrays, rows spread over devices."""
    irreps = ic.Irreps("4x0e + 4x1o + 2x2e")
    a, b = (ic.IrrepsArray(irreps, normal(EDGES, irreps.dim)) for _ in range(2))

    def f(a: Any, b: Any) -> Any:
        return irr.tensor_product(a, b, filter_ir_out="0e + 1o").array

    spread = jax.jit(jax.shard_map(f, mesh=MESH, in_specs=(P("batch"), P("batch")), out_specs=P("batch")))
    return difference(spread(a, b), f(a, b))


def energy(parameters: Any, positions: Any, senders: Any, receivers: Any) -> Any:
    """A small network of the kind of NequIP for one molecule: what users write, with no thought of devices."""
    index = irr.EdgeIndex.from_edges(senders, receivers, len(positions), num_rows="bound")
    inside = receivers < len(positions)  # the others are padding
    ends = [jnp.where(inside, i, 0) for i in (senders, receivers)]
    vectors = jnp.where(inside[:, None], positions[ends[0]] - positions[ends[1]], 1.0)
    harmonics = irr.spherical_harmonics("0e + 1o + 2e", vectors, normalize=True)
    x = ic.IrrepsArray("4x0e", jnp.ones((len(positions), 4)))
    for layer in parameters:

        def weights(lengths: Any, layer: Any = layer) -> Any:
            return irr.bessel(lengths, layer["radial"].shape[0], 3.0) @ layer["radial"]

        lengths = jnp.sqrt(jnp.sum(vectors**2, axis=1))
        sums = irr.edge_convolution(x, harmonics, weights, index, edge_data=lengths, filter_ir_out="0e + 1o")
        x = irr.gate(irr.linear(sums, layer["linear"], "8x0e + 4x1o"))
    return jnp.sum(x.filter("0e").array ** 2)


def network_and_molecules() -> tuple[Any, list[jax.Array]]:
    irreps, parameters = ic.Irreps("4x0e"), []
    for _ in range(2):
        sums = irr.tensor_product(irreps, "0e + 1o + 2e", filter_ir_out="0e + 1o")
        mixed = irr.FunctionalLinear(sums, "8x0e + 4x1o")
        parameters.append({"radial": normal(5, sums.num_irreps), "linear": normal(mixed.num_weights)})
        irreps = ic.Irreps("4x0e + 4x1o")
    edges = [jnp.asarray(RNG.integers(0, NODES, (8, 20))) for _ in range(2)]
    return parameters, [normal(8, NODES, 3), edges[0], jnp.where(edges[0] == edges[1], NODES, edges[1])]


def loss(parameters: Any, *molecules: Any) -> Any:
    """The mean of energies and squared forces: its gradient is that of training on forces."""
    found = [jax.value_and_grad(energy, 1)(parameters, *one) for one in zip(*molecules, strict=True)]
    return sum(e + jnp.sum(f**2) for e, f in found) / 8


def model_spread_over_devices() -> str | None:
    """Training on forces, a molecule on each device, is training on all of them on one."""
    parameters, molecules = network_and_molecules()
    one = jax.jit(jax.value_and_grad(loss))
    parts = [one(parameters, *(a[i : i + 1] for a in molecules)) for i in range(8)]
    expected = jax.tree.map(lambda *a: sum(a), *parts)
    apart = jax.shard_map(
        lambda p, *m: jax.lax.psum(loss(p, *m), "batch"), mesh=MESH, in_specs=(P(), *[P("batch")] * 3), out_specs=P()
    )
    return difference(jax.jit(jax.value_and_grad(apart))(parameters, *molecules), expected)


def model_exported() -> str | None:
    """A training step, serialized, read back and called."""
    parameters, molecules = network_and_molecules()
    few = [a[:1] for a in molecules]
    step = jax.jit(jax.value_and_grad(loss))
    data = jax.export.export(step)(parameters, *few).serialize()
    return difference(jax.export.deserialize(data).call(parameters, *few), step(parameters, *few))


CHECKS: dict[str, Callable[[], str | None]] = {
    "edges spread over devices": lambda: edges_spread_over_devices(check_vma=True),
    "edges spread over devices, what varies not followed": lambda: edges_spread_over_devices(check_vma=False),
    "edges spread over devices, without jit": lambda: edges_spread_over_devices(check_vma=True, jit=False),
    "gradients inside of shard_map": gradients_inside_of_shard_map,
    "sums that are not completed are refused": sums_that_are_not_completed_are_refused,
    "rows spread under plain jit": rows_spread_under_plain_jit,
    "explicit mesh with auto axes": explicit_mesh_with_auto_axes,
    "operations spread over devices": operations_spread_over_devices,
    "model spread over devices": model_spread_over_devices,
    "model exported": model_exported,
}

if __name__ == "__main__":
    for name, check in CHECKS.items():
        try:
            wrong = check()
        except Exception as error:  # to be told with the others
            wrong = f"{type(error).__name__}: {str(error)[:2000]}"
        print(json.dumps([name, wrong]), flush=True)
