"""Write docs/accuracy.md: the errors of every operation by degree and dtype.

    uv run python benchmarks/accuracy.py                # writes the page, in some minutes
    uv run python benchmarks/accuracy.py gate linear    # prints the rows of some operations alone

The operations, their arguments and their exceptions are those of the table of tests
(packages/irreps-ops/tests/test_operations.py). The numbers come from the machine that runs this.
"""

import functools
import itertools
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

import irreps_core as ic
import irreps_ops as irr
from irreps_ops.checkpoint import write_file

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/accuracy.md"
GOLDEN = ROOT / "packages/irreps-core/tests/golden"
DEGREES = (1, 2, 4, 6)
NARROW = ("float32", "bfloat16", "float16")
HEAD = """# Accuracy

This page is written by `uv run python benchmarks/accuracy.py`. An error is the largest of all components, relative to
the largest component of the result, in units of the precision ε of the dtype: $2^{-52}$ for float64, $2^{-23}$ for
float32, $2^{-7}$ for bfloat16 and $2^{-10}$ for float16. So 0.5 is one rounding. bfloat16 and float16 are computed in
float32 and rounded once.

* *values*: against the same operation in float64 on the same, rounded, arguments.
* *gradient*: that of a random linear function of the result, against float64.
* *equivariance*: the result for rotated and mirrored arguments, against the rotated and mirrored result. The arguments
  are rounded after the rotation; operations that amplify changes of their arguments show it here.

Arguments are drawn at random. Differences of a factor of two between machines and versions are to be expected.
"""
OPERATION_COLUMNS = (
    *(f"values {dtype}" for dtype in NARROW),
    "gradient float32",
    "gradient bfloat16",
    "equivariance float64",
    "equivariance float32",
)


@functools.cache
def _table_of_tests() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "packages/irreps-ops/tests/test_operations.py")))


def _irrep(l: int) -> str:
    return f"{l}{'eo'[l % 2]}"


def by_degree() -> dict[str, Callable[[int], Any]]:
    """The operations whose error may depend on a degree, as rows of the table of tests."""
    table = _table_of_tests()
    row, shared = table.row, table.shared

    def connected(l: int) -> Any:
        product = irr.FunctionalFullyConnectedTensorProduct(f"4x{_irrep(l)}", _irrep(l), f"4x0e + 4x{_irrep(2 * l)}")
        return row(product, shared((product.num_weights,)), f"4x{_irrep(l)}", _irrep(l))

    def contraction(l: int) -> Any:
        product = irr.FunctionalSymmetricContraction(f"0e + {_irrep(l)}", (1, 2), f"0e + {_irrep(l)}")
        return row(lambda w, x: product(w, x.mul_to_axis()), shared((product.num_weights, 2)), f"2x0e + 2x{_irrep(l)}")

    return {
        "FunctionalFullyConnectedTensorProduct": connected,
        "FunctionalSymmetricContraction": contraction,
        "edge_convolution": lambda l: row(
            lambda x, y, w: irr.edge_convolution(x, y, w, table.edges(x)), f"0e + {_irrep(l)}", _irrep(l), (2 * l + 2,)
        ),
        "gaunt_tensor_product": lambda l: row(irr.gaunt_tensor_product, _irrep(l), _irrep(l)),
        "layer_norm": lambda l: row(irr.layer_norm, f"4x{_irrep(l)}"),
        "linear": lambda l: row(lambda w, x: irr.linear(x, w, f"8x{_irrep(l)}"), shared((64,)), f"8x{_irrep(l)}"),
        "norm_activation": lambda l: row(lambda x: irr.norm_activation(x, [jnp.tanh]), f"4x{_irrep(l)}"),
        "s2_dirac": lambda l: row(lambda v: irr.s2_dirac(v, l), "1o"),
        "spherical_harmonics": lambda l: row(lambda v: irr.spherical_harmonics([l], v, True), "1o"),
        "tensor_product": lambda l: row(irr.tensor_product, _irrep(l), _irrep(l)),
        "tensor_product_with_spherical_harmonics": lambda l: row(
            lambda x, v: irr.tensor_product_with_spherical_harmonics(x, v, l), _irrep(l), "1o"
        ),
        "tensor_square": lambda l: row(irr.tensor_square, _irrep(l)),
        "to_s2grid": lambda l: row(
            lambda x: irr.to_s2grid(x, 2 * l + 2, 2 * l + 1, quadrature="soft", p_val=1, p_arg=-1), _irrep(l)
        ),
        "transform_by_quaternion": lambda l: row(
            lambda x, q: x.transform_by_quaternion(q), _irrep(l), (4,), equivariant=False
        ),
    }


def errors(operation: Any) -> list[float | None]:
    """The figures of an operation in the order of `OPERATION_COLUMNS`; None for those that it does not have."""
    table = _table_of_tests()
    args = table.draw(operation, 0)
    mirror = np.asarray(-ic.quaternion_to_matrix(np.array([0.1, -0.7, 0.5, 0.4])))
    shapes = table.floats(jax.eval_shape(operation.function, *args))
    weights = [np.random.default_rng(5).normal(size=y.shape) for y in shapes]

    def value_and_gradient(weights: Any, *args: Any) -> Any:
        def total(*args: Any) -> Any:
            result = operation.function(*args)
            found = table.floats(result)
            return sum((jnp.sum(w * y) for w, y in zip(weights, found, strict=True)), jnp.zeros(())), result

        if operation.order == 0:
            return operation.function(*args), ()
        gradient, result = jax.grad(total, argnums=tuple(range(len(args))), has_aux=True)(*args)
        return result, gradient

    run = jax.jit(value_and_gradient)

    def evaluate(dtype: str, args: Any) -> tuple[Any, Any, Any, Any]:
        narrow, weight = (table.combine(lambda a: a.astype(jnp.dtype(dtype)), tree) for tree in (args, weights))
        wide, weight64 = (table.combine(lambda a: a.astype(np.float64), tree) for tree in (narrow, weight))
        return *run(weight, *narrow), *run(weight64, *wide)

    values, gradients, equivariance = {}, {}, {}
    for dtype in ("float64", *NARROW):
        eps = float(jnp.finfo(dtype).eps)
        value, gradient, true_value, true_gradient = evaluate(dtype, args)
        values[dtype] = _error(value, true_value, eps)
        gradients[dtype] = _error(gradient, true_gradient, eps)
        if operation.equivariant and table.is_of_irreps(value) and dtype in ("float64", "float32"):
            moved = evaluate(dtype, table.transformed(args, mirror))[0]
            exact = jax.tree.map(lambda a: np.asarray(a, np.float64), value)
            equivariance[dtype] = _error(moved, table.transformed(exact, mirror), eps)
    return [
        *(values[dtype] for dtype in NARROW),
        *(gradients[dtype] if operation.order else None for dtype in ("float32", "bfloat16")),
        *(equivariance.get(dtype) for dtype in ("float64", "float32")),
    ]


def _error(found: Any, expected: Any, eps: float) -> float | None:
    """The largest error of any component, relative to the largest of its array, in units of eps."""
    pairs = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64))
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
        if jnp.issubdtype(a.dtype, jnp.floating) and a.size
    ]
    sizes = [float(np.abs(b).max()) for _, b in pairs]
    # An array that is zero, except for rounding, is compared with the largest array.
    scales = [size if size > 1e-10 * max(sizes) else max(sizes) for size in sizes]
    return max(
        (float(np.abs(a - b).max()) / scale / eps for (a, b), scale in zip(pairs, scales, strict=True)), default=None
    )


def mathematics() -> Iterator[tuple[str, str, float]]:
    """Yield errors of irreps_core in float64: what, against which truth, and the error in units of ε."""
    eps = float(np.finfo(np.float64).eps)
    with np.load(GOLDEN / "clebsch_gordan.npz") as file:
        degrees, values = file["degrees"].astype(int), file["values"]
    pieces = np.split(values, np.cumsum((2 * degrees + 1).prod(axis=1))[:-1])
    worst = max(
        np.abs(ic.clebsch_gordan(*map(int, ls)).ravel() - piece).max()
        for ls, piece in zip(degrees, pieces, strict=True)
    )
    yield "`clebsch_gordan`, degrees to 6", "SymPy, exact", worst / eps
    for l in (8, 16, 32):
        C = ic.clebsch_gordan(l, l, l).reshape(-1, 2 * l + 1)
        yield (
            f"`clebsch_gordan`, degree {l}",
            "orthogonality",
            np.abs((2 * l + 1) * C.T @ C - np.eye(2 * l + 1)).max() / eps,
        )
    with np.load(GOLDEN / "spherical_harmonics.npz") as file:
        points, values = file["points"], file["values"]
    found = ic.spherical_harmonics(range(9), points, normalization="integral")
    yield "`spherical_harmonics`, degrees to 8", "mpmath, 40 digits", _relative(found, values) / eps
    y = np.linspace(-0.99, 0.99, 15)
    directions = np.stack([np.sqrt(1 - y * y), y, np.zeros_like(y)], axis=-1)
    for l in (16, 64, 256):
        zonal = ic.spherical_harmonics(l, directions, normalization="norm")[:, l]
        truth = [float(mpmath.legendre(l, mpmath.mpf(float(c)))) for c in y]
        yield f"`spherical_harmonics`, degree {l}, order 0", "mpmath, `legendre`", np.abs(zonal - truth).max() / eps
    with np.load(GOLDEN / "wigner_d.npz") as file:
        angles, values = file["angles"], file["values"]
    ends = np.cumsum([(2 * l + 1) ** 2 for l in range(7)])
    worst = max(
        np.abs(ic.Irrep(l, 1).D_from_angles(*abc).ravel() - block).max()
        for abc, row in zip(angles, values, strict=True)
        for l, block in enumerate(np.split(row, ends[:-1]))
    )
    yield "Wigner D, degrees to 6", "mpmath, 40 digits", worst / eps
    a, b = ic.rand_quaternion(np.random.default_rng(0), (2, 20))
    for l in (8, 16, 32):
        D = ic.Irrep(l, 1).D_from_quaternion
        yield (
            f"Wigner D, degree {l}",
            "composition of rotations",
            np.abs(D(a) @ D(b) - D(ic.compose_quaternion(a, b))).max() / eps,
        )


def _relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def shown(figure: float | None) -> str:
    """A figure with two digits; a dash if there is none."""
    if figure is None:
        return "–"
    return f"{figure:.1f}" if figure < 9.95 else f"{figure:.0f}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def operation_rows(names: Iterable[str] = ()) -> Iterator[list[str]]:
    """Yield the row of each operation, or of some."""
    for name, operation in _table_of_tests().OPERATIONS.items():
        if not names or name in names:
            yield [f"`{name}`", *map(shown, errors(operation))]


def degree_rows(names: Iterable[str] = (), degrees: Iterable[int] = DEGREES) -> Iterator[list[str]]:
    """Yield a row for each degree of each operation of `by_degree`, or of some."""
    for name, at in by_degree().items():
        if not names or name in names:
            for l in degrees:
                yield [f"`{name}`", str(l), *map(shown, errors(at(l)))]


def page() -> str:
    """The whole page."""
    exact = [[what, truth, shown(figure)] for what, truth, figure in mathematics()]
    return "\n".join(
        [
            HEAD,
            "## Mathematics\n",
            "Functions of irreps_core in float64.\n",
            table(("what", "against", "error"), exact),
            "\n## Operations by degree\n",
            table(("operation", "degree", *OPERATION_COLUMNS), degree_rows()),
            "\n## All operations\n",
            "With the arguments of the table of tests, of low degree.\n",
            table(("operation", *OPERATION_COLUMNS), operation_rows()),
            "",
        ]
    )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1:]:
        for row in itertools.chain(operation_rows(sys.argv[1:]), degree_rows(sys.argv[1:])):
            print(*row, flush=True)
    else:
        write_file(PAGE, page())
