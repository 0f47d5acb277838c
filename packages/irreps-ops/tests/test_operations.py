"""Every operation, over one table: jit, vmap, derivatives, dtypes, x64 on and off, empty batches and irreps, zero,
symmetry, sums over many rows in bfloat16, a symbolic number of rows.

A public operation that is neither in ``OPERATIONS`` nor in ``NOT_OPERATIONS`` fails a test. A new operation is one line
of the table, in alphabetical order::

    "norm_activation": row(lambda x: irr.norm_activation(x, [jnp.tanh, None]), "2x1o + 0e"),

that is ``row(function, *arguments, **exceptions)``. The function takes arrays of floating-point numbers only; it closes
over constants, indices and options. Each argument is drawn at random:

* a string of irreps: an IrrepsArray of normal numbers, of shape (BATCH, dim);
* a tuple: an array of shape (BATCH, *tuple) of numbers between 0.2 and 0.9, suitable as distances and as weights;
* ``shared(argument)``: the same without the batch axis, for arguments that the whole batch shares.

It returns arrays, IrrepsArrays or a tree of them. Exceptions state by name what does not hold for an operation:

* ``order=1``: second derivatives do not exist (``order=0``: nor do first ones; the operation is not differentiable);
* ``each_row=False``: the elements of the batch interact, so that one alone gives another result (graphs, sums);
* ``at_zero=False``: derivatives do not exist where all arguments are zero;
* ``equivariant=False``: the result depends on the axes. Only results that are IrrepsArrays are tested for equivariance.

The example in the docstring of each operation tests that it runs without jit.
"""

import functools
import inspect
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import irreps_core as ic
import irreps_ops as irr

BATCH = 3
MANY = 300  # times as many rows exceed 256, from where on adding 1 changes no number in bfloat16
STEP = 1e-3


class Shared(NamedTuple):
    argument: Any


@dataclass(frozen=True)
class Row:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    order: int = 2
    each_row: bool = True
    at_zero: bool = True
    equivariant: bool = True


def row(function: Callable[..., Any], *arguments: Any, **exceptions: Any) -> Row:
    return Row(function, arguments, **exceptions)


def swirl(x: ic.IrrepsArray, axis: ic.IrrepsArray) -> ic.IrrepsArray:
    """A vector field with a divergence and a curl."""
    return x + ic.norm(x, squared=True) * (x + ic.cross(axis, x))


shared = Shared
SOFT = {"start": 0.0, "end": 1.0, "number": 3}


def dst(x: Any) -> Any:
    """2, 0, 2, 2, 0, 2, ...: receivers for the rows of x."""
    n = x.shape[0]
    return jnp.where(jnp.arange(n) % 3 == 1, 0, 2) if export.is_symbolic_dim(n) else np.array([2, 0, 2] * MANY)[:n]


def edges(x: Any) -> irr.EdgeIndex:
    """From node 0 to node 1, as many as the rows of x, which are the nodes, too."""
    n = x.shape[0]
    return (
        irr.EdgeIndex.from_edges(jnp.zeros(n, int), jnp.ones(n, int), num_nodes=n)
        if export.is_symbolic_dim(n)
        else EDGES(n)
    )


SHIFTS = np.array([[1, 0, -1], [0, 2, 0], [0, 0, 1]])
EDGES = functools.cache(lambda n: irr.EdgeIndex.from_edges([0] * n, [1] * n, num_nodes=n))
DOT = irr.compute.Polynomial(
    (irr.compute.Operand(3, (2,)), irr.compute.Operand(3, (2,))),
    (irr.compute.Operand(1, (2,)),),
    (irr.compute.Path((0, 1), 0, ("u", "u", "u"), irr.compute.Coefficients.from_dense(np.eye(3)[:, :, None])),),
)
LINEAR = irr.FunctionalLinear("2x0e + 1o", "0e + 2x1o", biases=True)
PRODUCT = irr.FunctionalTensorProduct("2x1o", "1o", "2x0e + 2x1e", [(0, 0, 0, "uvu", True), (0, 0, 1, "uvu", False)])
CONNECTED = irr.FunctionalFullyConnectedTensorProduct("0e + 1o", "1o", "0e + 1o")
CONTRACTION = irr.FunctionalSymmetricContraction("0e + 1o", (1, 2), "0e + 1o")

OPERATIONS = {
    "FunctionalFullyConnectedTensorProduct": row(CONNECTED, shared((CONNECTED.num_weights,)), "0e + 1o", "1o"),
    "FunctionalLinear": row(LINEAR, shared((LINEAR.num_weights,)), "2x0e + 1o"),
    "FunctionalSymmetricContraction": row(
        lambda w, x: CONTRACTION(w, x.mul_to_axis()), shared((CONTRACTION.num_weights, 2)), "2x0e + 2x1o"
    ),
    "FunctionalTensorProduct": row(PRODUCT, (PRODUCT.num_weights,), "2x1o", "1o"),
    "bessel": row(lambda x: irr.bessel(x, 3), ()),
    "betas_to_spherical_signal": row(lambda x: irr.betas_to_spherical_signal(x, 3, quadrature="soft"), (4,)),
    "chebyshev_basis": row(lambda x: irr.chebyshev_basis(x, 3), ()),
    "cosine_cutoff": row(irr.cosine_cutoff, ()),
    "curl": row(ic.vmap(irr.curl(swirl)), "1o", "1e"),
    "divergence": row(ic.vmap(irr.divergence(swirl)), "1o", "1e"),
    "edge_convolution": row(
        lambda x, y, w: irr.edge_convolution(x, y, w, edges(x)), "0e + 1o", "1o", (4,), each_row=False
    ),
    "edge_softmax": row(
        lambda l, w: irr.edge_softmax(l, dst(l), BATCH, weights=w), (2,), (), each_row=False, at_zero=False
    ),
    "edge_vectors": row(
        lambda x, c: irr.edge_vectors(x, [2, 0, 2], [1, -1, 1], shifts=SHIFTS, cell=c),
        (3,),
        shared((3, 3)),
        each_row=False,
    ),
    "elementwise_tensor_product": row(irr.elementwise_tensor_product, "0e + 1o", "0o + 1o"),
    "evaluate": row(lambda x, y: irr.compute.evaluate(DOT, [x, y]), (3, 2), (3, 2)),
    "exponential_bernstein_basis": row(lambda x: irr.exponential_bernstein_basis(x, 3), ()),
    "from_s2grid": row(lambda x: irr.from_s2grid(irr.SphericalSignal(x, "soft"), "0e + 1o"), (3, 4), equivariant=False),
    "gate": row(irr.gate, "2x0e + 0o + 1o"),
    "gaunt_tensor_product": row(
        lambda x, y: [irr.gaunt_tensor_product(x, y, method=method) for method in ("grid", "fourier")],
        "0e + 1o",
        "1o + 1e",
    ),
    "gaussian_basis": row(lambda x: irr.gaussian_basis(x, 3), ()),
    "grad": row(ic.vmap(irr.grad(swirl)), "1o", "1e"),
    "hessian": row(ic.vmap(irr.hessian(swirl)), "1o", "1e"),
    "index_add": row(lambda x: irr.index_add(dst(x), x, out_dim=BATCH), (2,), each_row=False),
    "interpolate_nearest": row(lambda f, x: irr.interpolate_nearest(f, x, 1 - x, 0.1), shared((2, 2, 2)), ()),
    "interpolate_trilinear": row(lambda f, x: irr.interpolate_trilinear(f, x, 1 - x, 0.1), shared((2, 2, 2)), ()),
    "key_value_activation": row(lambda k, v: irr.key_value_activation(jnp.tanh, k, v), "0e + 1o", "0e + 1o"),
    "layer_norm": row(lambda a, b, x: irr.layer_norm(x, a, b), shared((3,)), shared((2,)), "2x0e + 1o"),
    "legendre": row(lambda x: jnp.moveaxis(irr.legendre(3, x, 1.0), -1, 0), ()),
    "legendre_transform_from_s2grid": row(
        lambda x: irr.legendre_transform_from_s2grid(x, 1, 3, quadrature="soft"), (3,)
    ),
    "legendre_transform_to_s2grid": row(lambda x: irr.legendre_transform_to_s2grid(x, 3, quadrature="soft"), (2,)),
    "linear": row(lambda w, x: irr.linear(x, w, "0e + 1o"), shared((3,)), "2x0e + 1o"),
    "m0_values_to_irrepsarray": row(lambda x: irr.m0_values_to_irrepsarray(x, 1, 1, -1), (2,), equivariant=False),
    "norm_activation": row(lambda x: irr.norm_activation(x, [jnp.cos, None]), "2x1o + 0e"),
    "normalize_function": row(irr.normalize_function(jnp.tanh), ()),
    "poly_envelope": row(irr.poly_envelope(3, 2), ()),
    "radial_basis": row(lambda r: irr.radial_basis(r, 1.0, 3), ()),
    "radius_graph": row(lambda x: irr.radius_graph(x, 0.5, size=9), (3,), order=0, each_row=False),
    "s2_dirac": row(lambda v: irr.s2_dirac(v, 2), "1o"),
    "scalar_activation": row(irr.scalar_activation, "2x0e + 0o + 1o"),
    "scatter_max": row(lambda x: irr.scatter_max(x, dst=dst(x), output_size=BATCH, initial=-1.0), (2,), each_row=False),
    "scatter_mean": row(lambda x: irr.scatter_mean(x, dst=dst(x), output_size=BATCH), "0e + 1o", each_row=False),
    "scatter_sum": row(lambda x: irr.scatter_sum(x, dst=dst(x), output_size=BATCH), "0e + 1o", each_row=False),
    "sh": row(lambda v: irr.sh([1], v, True), (3,)),
    "shtp": row(lambda x, v: irr.shtp(x, v, "0e + 1o"), "0e + 1o", "1o"),
    "sine_basis": row(irr.sine_basis, (), shared((3,))),
    "soft_envelope": row(irr.soft_envelope, ()),
    "soft_normalization": row(lambda x: irr.soft_normalization(x, 1.5), "0e + 1o"),
    "soft_odd": row(irr.soft_odd, ()),
    "soft_one_hot_linspace": row(lambda x: irr.soft_one_hot_linspace(x, **SOFT, basis="gaussian", cutoff=True), ()),
    "spherical_harmonics": row(lambda v: irr.spherical_harmonics([0, 1, 2], v, True), "1o"),
    "sus": row(irr.sus, ()),
    "symmetric_contraction": row(
        lambda w, x: irr.symmetric_contraction(x.mul_to_axis(), {"w2_0e": w}, (2,), keep_irrep_out="0e"),
        shared((1, 2)),
        "2x1o",
    ),
    "tensor_product": row(irr.tensor_product, "0e + 1o", "1o"),
    "tensor_product_with_spherical_harmonics": row(
        lambda x, v: irr.tensor_product_with_spherical_harmonics(x, v, 1), "0e + 1o", "1o"
    ),
    "tensor_square": row(irr.tensor_square, "0e + 1o"),
    "to_s2grid": row(lambda x: irr.to_s2grid(x, 3, 4, quadrature="soft"), "0e + 1o"),
    "to_s2point": row(irr.to_s2point, "0e + 1o", shared("1o")),
    "xplor_cutoff": row(lambda x: irr.xplor_cutoff(x, 0.1), ()),
    "zoom": row(lambda f: irr.zoom(f, output_size=(3, 1, 2)), (2, 2, 2)),
}

# Names that take and return no data. Those of irreps_core are tested there, layers in the tests of the bindings.
NOT_OPERATIONS = {
    "types": "Activation Contraction Executor SO3Signal SphereTransform SphericalSignal",
    "descriptions, with tests of their own": "Access BATCHED BROADCAST Coefficients Coupling EdgeIndex Index "
    "LinearWeights Operand Part Path Polynomial SymmetricWeights View Views ViewsExecutor get_s2fft_grid_resolution "
    "harmonics_polynomial s2_grid s2_irreps",
    "constants": "reduced_antisymmetric_tensor_product_basis reduced_symmetric_tensor_product_basis "
    "reduced_tensor_product_basis",
    "graphs in NumPy, before tracing": "Graph GraphBatch Neighbours batch_graphs bucket_size neighbour_list",
    "executors": "ExecutorRefused cheapest checked executors use_executor why_not",
    "parameters": "apply init init_state",
}


def test_every_public_operation_is_in_the_table() -> None:
    faces = {name: vars(face)[name] for face in (irr, irr.compute) for name in face.__all__}
    ours = {name for name, x in faces.items() if x is not getattr(ic, name, None) and not inspect.ismodule(x)}
    excepted = {name for names in NOT_OPERATIONS.values() for name in names.split()}
    layers = set(irr.bindings._registry.LAYERS.builtin)
    assert excepted <= ours
    assert ours - excepted - layers == set(OPERATIONS), "see the docstring of this file"
    assert list(OPERATIONS) == sorted(OPERATIONS)


@jax.custom_jvp
def wrong_slope(x: Any) -> Any:
    return x**2


wrong_slope.defjvp(lambda x, t: (x[0] ** 2, 2.001 * x[0] * t[0]))
DEFECTS = {
    "finite differences": row(wrong_slope, ()),
    "not equivariant": row(lambda x: ic.IrrepsArray("1o", jnp.abs(x.array)), "1o"),
    "not finite at zero": row(jnp.sqrt, ()),
    "a batch of one": row(lambda x: x - jnp.mean(x), (2,)),
    "an empty batch": row(lambda x: x + x.shape[0] * 0.0 if len(x) else jnp.zeros((1, 2), x.dtype), (2,)),
    "implicit dtype promotion": row(lambda x: x * jnp.ones((2,), jnp.bfloat16), (2,)),
    "jax_numpy_rank_promotion": row(lambda x: x * jnp.ones((2,), x.dtype), (2,)),
}


@pytest.mark.parametrize("what", DEFECTS)
def test_defects_are_found(what: str) -> None:
    with pytest.raises((AssertionError, TypeError, ValueError), match=what):
        check(DEFECTS[what], what)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str) -> None:
    check(OPERATIONS[name], name)


def sums_over_rows(operation: Row) -> bool:
    shared = any(isinstance(argument, Shared) for argument in operation.arguments)
    return operation.order > 0 and (shared or not operation.each_row)


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if sums_over_rows(operation)])
def test_sums_over_many_rows_in_bfloat16(name: str) -> None:
    """Sums, forwards and backwards, accumulate in float32: values and gradients are those in float64, rounded."""
    operation = OPERATIONS[name]

    def repeated(spec: Any, x: Any) -> Any:
        return x if isinstance(spec, Shared) else jax.tree.map(lambda a: np.concatenate([np.asarray(a)] * MANY), x)

    def run(dtype: Any, wide: Any) -> Any:
        args = combine(lambda x: x.astype(jnp.bfloat16).astype(dtype), drawn)

        # Cotangents that bfloat16 holds exactly.
        def total(*args: Any) -> Any:
            results = floats(operation.function(*args))
            return sum(jnp.sum(y.astype(wide)) / 2 for y in results), results

        derivative = jax.jit(jax.grad(total, argnums=tuple(range(len(args))), has_aux=True))
        quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
        return derivative.lower(*args).compile(compiler_options=quick)(*args)

    drawn = tuple(repeated(spec, x) for spec, x in zip(operation.arguments, draw(operation, 0), strict=True))
    found, expected = run(jnp.bfloat16, np.float32), run(np.float64, np.float64)
    assert {y.dtype for y in jax.tree.leaves(found)} == {jnp.dtype(jnp.bfloat16)}
    close(jax.tree.map(lambda y: y.astype(np.float64), found), expected, 8 * 2**-8, name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_of_three_thousand_ones(dtype: str) -> None:
    n = 3000
    ones, weights, zeros = ic.ones("0e", (n,), dtype=dtype), jnp.ones((n, 1), dtype), jnp.zeros(n, int)
    total = irr.compute.Polynomial(
        (irr.compute.Operand(1, (1,)),),
        (irr.compute.Operand(1, (1,), irr.compute.BROADCAST),),
        (irr.compute.Path((0,), 0, ("u", "u"), irr.compute.Coefficients.from_dense(np.eye(1))),),
    )
    for found in (
        irr.edge_convolution(ones[:1], ones, weights, irr.EdgeIndex.from_edges(zeros, zeros, 1)).array,
        irr.compute.evaluate(total, [weights[:, None]])[0],
        irr.scatter_sum(weights, dst=zeros, output_size=1),
        irr.scatter_mean(3000 * weights, dst=zeros, output_size=1),
        3000 * jnp.sum(irr.edge_softmax(weights, zeros, 1)),
    ):
        assert found.dtype == jnp.dtype(dtype)
        np.testing.assert_allclose(np.ravel(found).astype(float), [3000], rtol=1e-2)


@pytest.mark.parametrize("irreps", ["", "0x1o", "0x0e + 1o", "0x0e + {}", "{} + 0x2e"])
def test_empty_irreps(irreps: str) -> None:
    """Items of multiplicity 0 change no operation; no operation of nothing fails without naming what it expects."""
    for name, operation in OPERATIONS.items():
        arguments = [
            irreps.format(spec) if isinstance(spec, str) else spec
            for spec in (s.argument if isinstance(s, Shared) else s for s in operation.arguments)
        ]
        if not any(isinstance(spec, str) for spec in arguments):
            continue
        changed = replace(
            operation,
            arguments=tuple(
                Shared(a) if isinstance(s, Shared) else a for a, s in zip(arguments, operation.arguments, strict=True)
            ),
        )
        try:
            found = jax.eval_shape(operation.function, *draw(changed, 0))
        except ValueError as refusal:
            error = str(refusal)
        else:
            error = ""
        if error:  # It expects irreps, or a number of functions or weights, that fit others.
            assert any(word in error for word in ("expect", "must be", "must have", "cannot", "pass both")), (
                name,
                error,
            )
        elif "{}" in irreps:
            expected = jax.eval_shape(operation.function, *draw(operation, 0))
            assert [y.shape for y in floats(found)] == [y.shape for y in floats(expected)], name


def symbolic(operation: Row) -> tuple[export.Exported, Callable[..., Any], Callable[[int], list[jax.Array]]]:
    """A program for any number of rows, stored and loaded; its function of flat arguments; these, repeated."""
    pytest.importorskip("flatbuffers")  # with which jax.export writes programs
    args = combine(lambda x: x.astype(np.float32), draw(operation, 0))
    shared = [isinstance(spec, Shared) for spec, x in zip(operation.arguments, args, strict=True) for _ in leaves(x)]
    flat, tree = jax.tree.flatten(args)
    (n,) = export.symbolic_shape("n")

    def function(*arrays: jax.Array) -> list[jax.Array]:
        return jax.tree.leaves(operation.function(*jax.tree.unflatten(tree, arrays)))

    def repeated(times: int) -> list[jax.Array]:
        return [x if s else jnp.asarray(np.concatenate([x] * times)) for x, s in zip(flat, shared, strict=True)]

    shapes = [x.shape if s else (n, *x.shape[1:]) for x, s in zip(flat, shared, strict=True)]
    program = export.export(jax.jit(function))(
        *(jax.ShapeDtypeStruct(shape, x.dtype) for shape, x in zip(shapes, flat, strict=True))
    )
    return export.deserialize(program.serialize()), function, repeated


@pytest.mark.parametrize("name", OPERATIONS)
def test_symbolic_number_of_rows(name: str) -> None:
    operation = OPERATIONS[name]
    program, function, repeated = symbolic(operation)
    if operation.each_row and not any(isinstance(spec, str) for spec in operation.arguments):
        return  # functions of numbers do not read sizes; to compile them would take half of the time
    found, expected = jax.jit(lambda *args: (program.call(*args), function(*args)))(*repeated(2))
    close(found, expected, 1e-5, name)


def test_symbolic_programs_in_a_fresh_process(tmp_path: Path) -> None:
    """Where irreps is not even imported."""
    names = ["edge_convolution", "gate", "symmetric_contraction"]
    for name in names:
        program, function, repeated = symbolic(OPERATIONS[name])
        (tmp_path / name).write_bytes(program.serialize())
        for times in (1, 4):
            args = repeated(times)
            expected = {f"out_{n}": y for n, y in enumerate(jax.jit(function)(*args))}
            np.savez(tmp_path / f"{name}{times}.npz", *args, **expected)
    script = """
import sys
from pathlib import Path
import numpy as np
from jax import export
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    program = export.deserialize(bytearray((folder / name).read_bytes()))
    for times in (1, 4):
        data = np.load(folder / f"{name}{times}.npz")
        found = program.call(*(data[key] for key in data if key.startswith("arr")))
        for n, y in enumerate(found):
            np.testing.assert_allclose(y, data[f"out_{n}"], rtol=1e-5, atol=1e-5, err_msg=name)
assert not any(module.startswith("irreps") for module in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path), *names], check=True)


@pytest.mark.gpu
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_a_gpu(name: str) -> None:
    """Values and derivatives in float32 on a GPU are those in float64 on a CPU."""
    operation = OPERATIONS[name]
    kinds = ((jax.devices("cpu")[0], np.float64), (jax.devices("gpu")[0], np.float32))
    (value, derived), (value32, derived32) = [_on(device, dtype, operation) for device, dtype in kinds]
    close(value32, value, 1e-5, f"{name}: values")
    close(derived32, derived, 1e-4, f"{name}: derivatives")


def _on(device: jax.Device, dtype: Any, operation: Row) -> Any:
    """The value, and the derivatives, in a dtype on a device."""
    with jax.default_device(device):
        args, along = (combine(lambda x: x.astype(dtype), draw(operation, seed)) for seed in (0, -1))
        value = jax.jit(operation.function)(*args)
        assert all(leaf.devices() == {device} for leaf in jax.tree.leaves(value))
        weights = [np.random.default_rng(5).normal(size=y.shape).astype(dtype) for y in floats(value)]
        points = combine(lambda x: x[None], args)
        return value, jax.jit(lambda *a: _derivatives(operation, *a))(points, along, weights)


def check(operation: Row, name: str) -> None:
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"), jax.debug_nans(True):
        exact = check_float64(operation, name)
        check_float32(operation, name, exact)


def draw(operation: Row, seed: int) -> tuple[Any, ...]:
    """Arguments in float64, on NumPy arrays; `seed` -1 draws directions for derivatives."""
    rng = np.random.default_rng([seed + 1, BATCH])
    arguments = []
    for spec in operation.arguments:
        leading, spec = ((), spec.argument) if isinstance(spec, Shared) else ((BATCH,), spec)
        if isinstance(spec, str):
            irreps = ic.Irreps(spec)
            arguments.append(ic.IrrepsArray(irreps, rng.normal(size=(*leading, irreps.dim))))
        else:
            shape = (*leading, *spec)
            arguments.append(rng.normal(size=shape) if seed < 0 else rng.uniform(0.2, 0.9, shape))
    return tuple(arguments)


def first_of_batch(operation: Row, args: tuple[Any, ...], size: int) -> tuple[Any, ...]:
    specs = operation.arguments
    cut = [
        x if isinstance(s, Shared) else jax.tree.map(lambda a: a[:size], x) for s, x in zip(specs, args, strict=True)
    ]
    return tuple(cut)


def combine(function: Callable[..., Any], *trees: Any) -> Any:
    """`function`, of NumPy, of the arrays at each place of the trees, as JAX arrays."""
    return jax.tree.map(lambda *x: jnp.asarray(function(*map(np.asarray, x))), *trees)


def leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert a.shape == b.shape, what
        largest = np.abs(b).max(initial=1, where=np.isfinite(b))  # the maximum of no rows is -inf
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * largest, err_msg=what)


def floats(tree: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def transformed(tree: Any, matrix: np.ndarray) -> Any:
    """IrrepsArrays in other axes; all else is invariant. In NumPy, which compiles nothing."""
    tree = jax.tree.map(np.asarray, tree)
    is_leaf = lambda x: isinstance(x, ic.IrrepsArray)  # noqa: E731  (one line says it)
    return jax.tree.map(lambda x: x.transform_by_matrix(matrix) if is_leaf(x) else x, tree, is_leaf=is_leaf)


def is_of_irreps(tree: Any) -> bool:
    found = jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, ic.IrrepsArray))
    return all(isinstance(x, ic.IrrepsArray) for x in found)


def check_float64(operation: Row, name: str, seed: int = 0) -> Any:
    f = operation.function
    args, along = draw(operation, seed), draw(operation, -1)
    mirror = np.asarray(-ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4])))
    points = [combine(lambda x, t, k=k: x + k * STEP * t, args, along) for k in range(-2, 3)]
    points.append(combine(np.asarray, transformed(args, mirror)))
    shapes = jax.eval_shape(f, *args)
    weights = [np.random.default_rng(5).normal(size=y.shape) for y in floats(shapes)]
    alone, values, derived = jax.jit(
        lambda points, *a: (f(*points[2]), _mapped(f, points), _derivatives(operation, *a))
    )(
        points,
        combine(lambda x: np.stack([x, np.zeros_like(x) if operation.at_zero else x]), args),
        combine(np.asarray, along),
        combine(np.asarray, weights),
    )
    at = [jax.tree.map(lambda y, i=i: np.asarray(y)[i], values) for i in range(6)]
    close(at[2], alone, 1e-12, f"{name}: vmap changes the result")
    if operation.equivariant and is_of_irreps(alone):
        close(at[5], transformed(alone, mirror), 1e-11, f"{name}: not equivariant")
    assert all(np.isfinite(x).all() for x in leaves(derived)), f"{name}: derivatives are not finite at zero"
    _check_derivatives(operation, name, [floats(y) for y in at], derived, along, weights)
    return alone


def _mapped(function: Callable[..., Any], points: Sequence[Any]) -> Any:
    return jax.vmap(function)(*jax.tree.map(lambda *x: jnp.stack(x), *points))


def _derivatives(operation: Row, points: Any, along: Any, weights: Any) -> Any:
    """At each of the points: the derivative along a direction; of the weighted sum the gradient, and its derivative."""

    def values(*args: Any) -> list[Any]:
        return floats(operation.function(*args))

    def total(*args: Any) -> Any:
        return sum((jnp.sum(w * y) for w, y in zip(weights, values(*args), strict=True)), jnp.zeros(()))

    def at(args: Any) -> list[Any]:
        gradient = jax.grad(total, argnums=tuple(range(len(args))))
        found = [jax.jvp(values, args, along)[1]] if operation.order > 0 else []
        if operation.order == 1:
            found.append(gradient(*args))
        elif operation.order > 1:
            found += jax.jvp(gradient, args, along)
        return found

    return jax.vmap(at)(points)


def _check_derivatives(operation: Row, name: str, at: list[Any], derived: Any, along: Any, weights: Any) -> None:
    """Against finite differences of fourth order on the points -2, ..., 2 steps away.

    They are less exact where a function changes within a few steps, as a norm does near zero: if those of second order
    have a relative error of e, those of fourth order have one of the size of e squared. At most 1e-3 is allowed.
    """
    if operation.order == 0:
        return

    def difference(*factors: float) -> list[np.ndarray]:
        return [np.tensordot(factors, y, 1) / 12 for y in map(np.stack, zip(*map(leaves, at[:5]), strict=True))]

    def error(of_fourth_order: list[np.ndarray], of_second_order: list[np.ndarray]) -> float:
        pairs = zip(of_fourth_order, of_second_order, strict=True)
        rough = max((np.abs(a - b).max(initial=0) / np.abs(a).max(initial=1) for a, b in pairs), default=0.0)
        return min(10 * rough**2, 1e-3)

    def inner(a: Any, b: Any) -> float:
        return sum((float(np.sum(x * y)) for x, y in zip(leaves(a), leaves(b), strict=True)), 0.0)

    derived = jax.tree.map(lambda x: np.asarray(x)[0], derived)
    slope, rough = ([d / STEP for d in difference(*factors)] for factors in ((1, -8, 0, 8, -1), (0, -6, 0, 6, 0)))
    close(derived[0], slope, 1e-8 + error(slope, rough), f"{name}: jvp and finite differences")
    close(inner(derived[1], along), inner(derived[0], weights), 1e-11, f"{name}: gradient and jvp")
    if operation.order > 1:
        second, rough = (
            [d / STEP**2 for d in difference(*factors)] for factors in ((-1, 16, -30, 16, -1), (0, 12, -24, 12, 0))
        )
        close(
            inner(derived[2], along),
            inner(second, weights),
            1e-6 + error(second, rough),
            f"{name}: Hessian and finite differences",
        )


def check_float32(operation: Row, name: str, exact: Any) -> None:
    """Check dtypes, values, leaks of tracers, and a batch of one and of none, without x64."""
    f = operation.function
    narrow = combine(lambda x: x.astype(np.float32), draw(operation, 0))
    size = 1 if operation.each_row else BATCH
    batches = [first_of_batch(operation, narrow, n) for n in dict.fromkeys((size, 1, 0))]
    with jax.checking_leaks():
        with_x64 = jax.eval_shape(f, *batches[0])
    narrow16 = jax.eval_shape(f, *jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jnp.bfloat16), batches[0]))
    assert {y.dtype for y in floats(narrow16)} <= {jnp.dtype(jnp.bfloat16)}, f"{name}: dtype"
    with jax.enable_x64(False):
        found, *rest = jax.jit(lambda *batches: [f(*x) for x in batches])(*batches)
    assert {y.dtype for y in floats([with_x64, found, *rest])} <= {jnp.dtype(jnp.float32)}, f"{name}: dtype"
    if operation.each_row:
        close(found, jax.tree.map(lambda y: np.asarray(y)[:1], exact), 1e-5, f"{name}: float32, a batch of one")
        close(rest[-1], jax.tree.map(lambda y: np.asarray(y)[:0], exact), 0, f"{name}: an empty batch")
    else:
        close(found, exact, 1e-5, f"{name}: float32 and float64")
    assert all(np.isfinite(y).all() for y in leaves(rest)), name
