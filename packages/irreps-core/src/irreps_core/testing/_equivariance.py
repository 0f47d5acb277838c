"""Measuring equivariance, fun(g x) = g fun(x): under which g it fails, in which output, and due to which argument."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from irreps_core._inputs._namespace import array_namespace, is_jax
from irreps_core.arrays._irreps_array import IrrepsArray
from irreps_core.irreps._irrep import Irrep, MulIrrep
from irreps_core.irreps._irreps import Irreps
from irreps_core.rotations._quaternion import quaternion_to_matrix


@dataclass(frozen=True)
class Transformation:
    """An element g of the Euclidean group: the orthogonal `matrix` acts on everything, then `shift` on positions."""

    kind: str
    matrix: np.ndarray
    shift: np.ndarray | None = None


@dataclass(frozen=True)
class Defect:
    """The difference between fun(g x) and g fun(x) in one item of the output, for one draw of g and x.

    `scale` is the largest component of the output array, `allowed` the difference that still passes.
    """

    g: Transformation
    draw: int
    values: Sequence[Any]
    place: str
    difference: float
    scale: float
    allowed: float
    sides: tuple[np.ndarray, np.ndarray]

    @property
    def fails(self) -> bool:
        """Whether the difference is too large (or not a number)."""
        return not self.difference <= self.allowed

    @property
    def relative(self) -> float:
        """The difference in units of the scale."""
        return _ratio(self.difference, self.scale)

    @property
    def severity(self) -> float:
        """The difference in units of the allowed difference."""
        return _ratio(self.difference, self.allowed)


class Experiment:
    """A function, its arguments and a source of random numbers; see :func:`irreps_core.testing.assert_equivariant`."""

    def __init__(
        self,
        fun: Callable[..., Any],
        rng: Any,
        args: Sequence[Any],
        positions: int | Sequence[int] = (),
        mirrors: bool = True,
        leading_shape: Sequence[int] = (),
        dtype: Any = None,
    ) -> None:
        """Check the arguments and choose the array library and the dtype of random data."""
        self.fun, self.mirrors, self.leading_shape = fun, mirrors, tuple(leading_shape)
        self.args = [Irreps(arg) if isinstance(arg, (str, Irrep, MulIrrep)) else arg for arg in args]
        given = [leaf for arg in self.args for _, leaf in flatten(arg)[0] if isinstance(leaf, IrrepsArray)]
        if not given and not any(isinstance(arg, Irreps) for arg in self.args):
            kinds = ", ".join(type(arg).__name__ for arg in args) or "none"
            raise TypeError(f"expected an argument that is an IrrepsArray or irreps (for random data), got {kinds}")
        self.generator = random_generator(rng)
        self.backend = sys.modules["jax"].numpy if is_jax(rng) else np
        floats = [leaf.dtype for leaf in given if is_floating(leaf)]
        self.dtype = dtype or (floats[0] if floats else self.backend.zeros(()).dtype)
        self.positions = [positions] if isinstance(positions, int) else sorted(set(positions))
        for index in self.positions:
            if not 0 <= index < len(args):
                raise ValueError(
                    f"positions names argument {index}, but there are {len(args)} arguments, counted from 0"
                )
            arg = self.args[index]
            irreps = arg if isinstance(arg, Irreps) else getattr(arg, "irreps", [(1, "none")])
            if any(ir != "1o" for _, ir in irreps):
                raise ValueError(f"positions names argument {index}, which must have irreps 1o, got {_shown(arg)}")

    def draw_values(self) -> list[Any]:
        """Return the arguments, with random data in place of irreps and floats in place of integers."""

        def draw(irreps: Irreps) -> IrrepsArray:
            data = self.generator.standard_normal((*self.leading_shape, irreps.dim))
            return IrrepsArray(irreps, self.backend.asarray(data, dtype=self.dtype))

        def floating(x: IrrepsArray) -> IrrepsArray:
            return x if is_floating(x) else x.astype(self.dtype)

        return [draw(arg) if isinstance(arg, Irreps) else map_irreps_arrays(floating, arg) for arg in self.args]

    def draw_rotation(self) -> np.ndarray:
        """Return a uniformly distributed rotation matrix."""
        return quaternion_to_matrix(self.generator.standard_normal(4))

    def draw_transformations(self) -> Iterator[Transformation]:
        """Yield one random transformation of each kind."""
        yield Transformation("rotation", self.draw_rotation())
        if self.mirrors:
            yield Transformation("mirror", -self.draw_rotation())
        if self.positions:
            yield Transformation("translation", np.eye(3), self.generator.standard_normal(3))

    def apply(self, values: Sequence[Any], g: Transformation) -> Any:
        """Return fun(g values)."""
        moved = list(values)
        for index, value in enumerate(values):
            shift = g.shift if index in self.positions else None
            moved[index] = map_irreps_arrays(lambda x, shift=shift: rounded(act(g, x, shift), x), value)
        return self.fun(*moved)

    def worst(
        self, draws: int, atol: float | None, rtol: float | None, measure: Callable[[Defect], float]
    ) -> dict[str, Defect]:
        """Return for each kind of transformation the defect of the largest measure in several draws."""
        worst: dict[str, Defect] = {}
        for draw in range(draws):
            values = self.draw_values()
            output = self.fun(*values)
            for g in self.draw_transformations():
                found = self.defects(values, output, g, draw, atol, rtol)
                worst[g.kind] = max([*found, *filter(None, [worst.get(g.kind)])], key=measure)
        return worst

    def defects(
        self,
        values: Sequence[Any],
        output: Any,
        g: Transformation,
        draw: int,
        atol: float | None,
        rtol: float | None,
    ) -> list[Defect]:
        """Return the differences between fun(g values) and g output in every item of the output."""
        one, other = flatten(self.apply(values, g))[0], flatten(output)[0]
        shown_one, shown_other = ([f"output{path}: {_shown(leaf)}" for path, leaf in x] for x in (one, other))
        if shown_one != shown_other:
            raise AssertionError(f"the output changes its structure under a {g.kind}: {shown_other} -> {shown_one}")
        inputs = [leaf for value in values for _, leaf in flatten(value)[0]]
        rtol = _tolerance(inputs + [leaf for _, leaf in one]) if rtol is None else rtol
        atol = rtol if atol is None else atol
        nothing = np.zeros(0)
        found = [Defect(g, draw, values, "output: nothing to compare", 0.0, 0.0, atol, (nothing, nothing))]
        for (path, left), (_, right) in zip(one, other, strict=True):
            right = act(g, right) if isinstance(right, IrrepsArray) else right
            items = list(_items(left, right))
            scale = max([_largest(b) for _, _, b in items], default=0.0)
            for place, a, b in items:
                with np.errstate(invalid="ignore"):  # infinity - infinity: it fails as NaN
                    difference = _largest(a - b)
                allowed = atol + rtol * _largest(b)
                place = f"output{path}{place}"
                found.append(Defect(g, draw, values, place, difference, scale, allowed, (a, b)))
        return found

    def report(self, worst: Mapping[str, Defect], kind: str, draws: int) -> str:
        """Return the error message for a function that is not equivariant under `kind`."""
        bad = worst[kind]
        verdicts = [
            f"  {name}: error {d.difference:.2g}, allowed {d.allowed:.2g}: {'FAILS' if d.fails else 'holds'}"
            for name, d in worst.items()
        ]
        a, b = (np.array2string(side.ravel()[:9], precision=4) for side in bad.sides)
        by = bad.g.matrix.tolist() if bad.g.shift is None else bad.g.shift.tolist()
        lines = [
            f"{getattr(self.fun, '__name__', repr(self.fun))} is not equivariant under a {kind} g: "
            f"fun(g x) and g fun(x) differ by {bad.difference:.3g} (relative {bad.relative:.3g})",
            *verdicts,
            f"  in: {bad.place}, draw {bad.draw + 1} of {draws}",
            f"    fun(g x) = {a}",
            f"    g fun(x) = {b}",
            f"  because of: {self.culprit(bad)}",
            f"  g = {by}",
        ]
        return "\n".join(lines)

    def culprit(self, bad: Defect) -> str:
        """Return which argument breaks equivariance.

        Scalars are invariant, and so are zeros. So if zeros replace all data but the scalars in every argument except
        one, the function of that argument is equivariant if `fun` is. If it is not, that argument is the culprit.
        """
        names = [f"argument {i} ({_shown(arg)})" for i, arg in enumerate(self.args)]
        if bad.g.kind == "translation":
            return ", ".join(names[i] for i in self.positions)
        moved = [i for i, value in enumerate(bad.values) if _moves(value)]
        if len(moved) < 2:
            return ", ".join(names[i] for i in moved) or "the function itself: it has no argument that g changes"
        alone = [i for i in moved if self._breaks_alone(i, bad)]
        if alone:
            return ", ".join(names[i] for i in alone) + ", also with zeros for the other arguments"
        return ", ".join(names[i] for i in moved) + ": together, none with zeros for the others"

    def _breaks_alone(self, index: int, bad: Defect) -> bool:
        values = [x if i == index else map_irreps_arrays(_scalars_only, x) for i, x in enumerate(bad.values)]
        try:
            defects = self.defects(values, self.fun(*values), bad.g, bad.draw, bad.allowed, 0.0)
        except Exception:  # the function may refuse zeros, which does not tell anything about this argument
            return False
        return any(defect.fails and math.isfinite(defect.difference) for defect in defects)


def act(g: Transformation, x: IrrepsArray, shift: np.ndarray | None = None) -> IrrepsArray:
    """Transform `x`, in float64 and NumPy whatever the kind of `x`."""
    exact = IrrepsArray(x.irreps, _wide(x.array), zero_flags=x.zero_flags).transform_by_matrix(g.matrix)
    if shift is None:
        return exact
    return IrrepsArray(x.irreps, exact.array + np.tile(shift, x.irreps.dim // 3))


def rounded(exact: IrrepsArray, x: IrrepsArray) -> IrrepsArray:
    """Return `exact` in the dtype and array library of `x`."""
    array = array_namespace(x.array).asarray(exact.array, dtype=x.dtype)
    return IrrepsArray(exact.irreps, array, zero_flags=exact.zero_flags)


def flatten(tree: Any) -> tuple[list[tuple[str, Any]], Callable[[Sequence[Any]], Any]]:
    """Return the leaves of a tree with their paths, IrrepsArrays whole, and a function that rebuilds the tree.

    With JAX the tree is any pytree; without JAX, nested tuples, lists and dicts.
    """
    jax = sys.modules.get("jax")
    if jax is not None:
        found, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda x: isinstance(x, IrrepsArray))
        return [(jax.tree_util.keystr(path), leaf) for path, leaf in found], structure.unflatten
    if isinstance(tree, dict):
        keys, children = list(tree), list(tree.values())
    elif isinstance(tree, (tuple, list)) and not isinstance(tree, Irreps):
        keys, children = list(range(len(tree))), list(tree)
    else:
        return [("", tree)], lambda leaves: leaves[0]
    parts = [flatten(child) for child in children]
    flat = [(f"[{key!r}]{path}", leaf) for key, (leaves, _) in zip(keys, parts, strict=True) for path, leaf in leaves]

    def rebuild(leaves: Sequence[Any]) -> Any:
        rest, made = list(leaves), []
        for part, build in parts:
            made.append(build(rest[: len(part)]))
            rest = rest[len(part) :]
        if isinstance(tree, dict):
            return dict(zip(keys, made, strict=True))
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)

    return flat, rebuild


def map_irreps_arrays(change: Callable[[IrrepsArray], Any], tree: Any) -> Any:
    """Return the tree with every IrrepsArray changed."""
    leaves, rebuild = flatten(tree)
    return rebuild([change(leaf) if isinstance(leaf, IrrepsArray) else leaf for _, leaf in leaves])


def random_generator(rng: Any) -> np.random.Generator:
    """Make a NumPy generator of one, of a JAX key or of a seed.

    Raises:
        TypeError: `rng` is none of these.
    """
    if isinstance(rng, (int, np.integer, np.random.Generator)):
        return np.random.default_rng(rng)
    if is_jax(rng):
        jax = sys.modules["jax"]
        typed = jax.numpy.issubdtype(rng.dtype, jax.dtypes.prng_key)
        return np.random.default_rng(np.asarray(jax.random.key_data(rng) if typed else rng).ravel())
    raise TypeError(f"expected a JAX key, a numpy.random.Generator or an integer seed, got {type(rng).__name__}")


def is_floating(x: Any) -> bool:
    """Return whether `x` is an array of real or complex floating-point numbers, of any precision."""
    return getattr(getattr(x, "dtype", None), "name", "").startswith(("float", "bfloat", "complex"))


def _wide(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _items(left: Any, right: Any) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the arrays to compare: each item of an IrrepsArray; any other numeric array as a whole."""
    if isinstance(left, IrrepsArray):
        a, b = _wide(left.array), _wide(right.array)
        for item, place in zip(left.irreps, left.irreps.slices(), strict=True):
            yield f", item {item} (components {place.start}:{place.stop})", a[..., place], b[..., place]
    elif isinstance(left, (bool, int, float, complex)) or _is_numeric(left):
        yield "", _wide(left), _wide(right)


def _is_numeric(x: Any) -> bool:
    # The dtype of a JAX key is not one of NumPy's.
    dtype = getattr(x, "dtype", None)
    return isinstance(dtype, np.dtype) and (is_floating(x) or dtype.kind in "iub")


def _tolerance(leaves: Sequence[Any]) -> float:
    """Return eps^(2/3) of the least precise floating-point dtype."""
    arrays = [leaf.array if isinstance(leaf, IrrepsArray) else leaf for leaf in leaves if is_floating(leaf)]
    eps = [float(array_namespace(array).finfo(array.dtype).eps) for array in arrays]
    return max(eps, default=float(np.finfo(np.float64).eps)) ** (2 / 3)


def _moves(value: Any) -> bool:
    return any(
        isinstance(leaf, IrrepsArray) and not all(ir.is_scalar() for _, ir in leaf.irreps)
        for _, leaf in flatten(value)[0]
    )


def _scalars_only(x: IrrepsArray) -> IrrepsArray:
    kept = [float(ir.is_scalar()) for mul, ir in x.irreps for _ in range(mul * ir.dim)]
    mask = array_namespace(x.array).asarray(kept, dtype=x.dtype)
    return IrrepsArray(x.irreps, x.array * mask.reshape((1,) * (x.ndim - 1) + (-1,)))


def _largest(array: np.ndarray) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def _ratio(difference: float, unit: float) -> float:
    if math.isnan(difference):
        return math.inf
    if difference == 0:
        return 0.0
    return difference / unit if unit > 0 else math.inf


def _shown(x: Any) -> str:
    if isinstance(x, IrrepsArray):
        return f"{x.irreps}, shape {tuple(x.shape)}"
    return str(x) if isinstance(x, Irreps) else f"{type(x).__name__} {tuple(getattr(x, 'shape', ()))}"
