"""`Irreps`: a direct sum of irreducible representations, the type of equivariant data. It holds no data."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, TypeAlias, Union, overload

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core._inputs._renamed import renamed_attribute
from irreps_core.representations._direct_sum import block_diagonal_of, representation_matrix, rotation_and_inversions
from irreps_core.rotations._angles import angles_to_quaternion
from irreps_core.rotations._axis_angle import axis_angle_to_quaternion
from irreps_core.rotations._log_coordinates import log_coordinates_to_quaternion

from ._irrep import IntoIrrep, Irrep, MulIrrep, _non_negative_integer, parse_term
from ._renamed import RENAMED
from ._slicing import ChunkSlicer, DimSlicer, MulSlicer


class Sorted(NamedTuple):
    """What :meth:`Irreps.sort` returns.

    Attributes:
        irreps: the sorted irreps.
        p: ``p[i]`` is the new place of the i-th item.
        inv: ``inv[j]`` is the old place of what is now j-th.
    """

    irreps: "Irreps"
    p: tuple[int, ...]
    inv: tuple[int, ...]


class Irreps(tuple[MulIrrep, ...]):
    """Direct sum of irreps, each with a multiplicity: the type of equivariant data.

    A tuple of :class:`MulIrrep`. Data of these irreps is an array whose last axis has length `dim`; the items
    follow one another there, and within ``mul x ir`` the multiplicity comes first, the component last.
    For convenience irreps also equal every string that denotes them; they share their hash with ``str(irreps)``. They
    do not equal a plain tuple of the same items.

    Args:
        irreps: a string such as ``"16x0e + 8x1o"``, an irrep, or a sequence of irreps, of terms or of pairs
            (mul, irrep). None and ``""`` are the empty sum.

    Raises:
        ValueError: malformed; quotes what came.

    Example:
        >>> from irreps_core import Irreps
        >>> irreps = Irreps("16x0e + 8x1o + 2e")
        >>> irreps
        16x0e+8x1o+1x2e
        >>> irreps.dim, irreps.num_irreps, irreps.lmax
        (45, 25, 2)
        >>> "1o" in irreps, irreps.slices()[1]
        (True, slice(16, 40, None))
    """

    __slots__ = ()

    def __new__(cls, irreps: "IntoIrreps" = None) -> "Irreps":
        """See the class."""
        if isinstance(irreps, Irreps):
            return irreps
        if irreps is None:
            return super().__new__(cls, ())
        if isinstance(irreps, str):
            return super().__new__(cls, _parse(irreps))
        if isinstance(irreps, (Irrep, MulIrrep)):
            irreps = (irreps,)
        try:
            items = list(irreps)
        except TypeError:
            raise ValueError(f"expected irreps such as '16x0e + 8x1o', got {irreps!r}") from None
        return super().__new__(cls, [_item(x) for x in items])

    def __getnewargs__(self) -> tuple[tuple[MulIrrep, ...]]:
        return (tuple(self),)

    if not TYPE_CHECKING:  # a type checker should not accept every name

        def __getattr__(self, name: str) -> Any:
            return renamed_attribute(RENAMED, name, type(self), self)

    @staticmethod
    def spherical_harmonics(lmax: int, p: int = -1) -> "Irreps":
        """Irreps of the spherical harmonics of degrees 0 to `lmax` of a vector of parity `p`.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps.spherical_harmonics(3)
            1x0e+1x1o+1x2e+1x3o
            >>> Irreps.spherical_harmonics(2, p=1)
            1x0e+1x1e+1x2e
        """
        lmax = _non_negative_integer(lmax, "lmax", lmax)
        return Irreps([(1, Irrep(l, p**l)) for l in range(lmax + 1)])

    # Sizes

    @property
    def dim(self) -> int:
        """Length of the last axis of data of these irreps."""
        return sum(item.dim for item in self)

    @property
    def num_irreps(self) -> int:
        """Sum of the multiplicities."""
        return sum(item.mul for item in self)

    @property
    def mul_gcd(self) -> int:
        """Greatest common divisor of the multiplicities.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("12x0e + 8x1o").mul_gcd
            4
        """
        return math.gcd(*(item.mul for item in self))

    @property
    def ls(self) -> list[int]:
        """The degree of each irrep, repeated by its multiplicity.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("3x0e + 2x1o").ls
            [0, 0, 0, 1, 1]
        """
        return [ir.l for mul, ir in self for _ in range(mul)]

    @property
    def lmax(self) -> int:
        """The highest degree of a multiplicity that is not zero.

        Raises:
            ValueError: there is no irrep.
        """
        degrees = [ir.l for mul, ir in self if mul > 0]
        if not degrees:
            raise ValueError(f"lmax of irreps without any irrep: {self!r}")
        return max(degrees)

    def count(self, ir: IntoIrrep) -> int:  # of an irrep, as in e3nn, not of an item
        """Total multiplicity of an irrep.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 3x1o + 0e").count("0e")
            3
        """
        wanted = Irrep(ir)
        return sum(mul for mul, ir in self if ir == wanted)

    def index(self, ir: IntoIrrep) -> int:  # type: ignore[override]  # as `count`
        """Place of the first item of an irrep.

        Raises:
            ValueError: there is none.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 3x1o").index("1o")
            1
        """
        wanted = Irrep(ir)
        for i, (_, found) in enumerate(self):
            if found == wanted:
                return i
        raise ValueError(f"{wanted} is not in {self!r}")

    def is_scalar(self) -> bool:
        """Whether every irrep is 0e (and there is one).

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 0e").is_scalar(), Irreps("0e + 0o").is_scalar()
            (True, False)
        """
        return {ir for _, ir in self} == {Irrep(0, 1)}

    def slices(self) -> list[slice]:
        """Where each item lies on the last axis of data.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 1o").slices()
            [slice(0, 2, None), slice(2, 5, None)]
        """
        ends = itertools.accumulate((item.dim for item in self), initial=0)
        return [slice(start, stop) for start, stop in itertools.pairwise(ends)]

    # Items

    @overload
    def __getitem__(self, index: SupportsIndex) -> MulIrrep: ...
    @overload
    def __getitem__(self, index: slice) -> "Irreps": ...
    def __getitem__(self, index: SupportsIndex | slice) -> Union[MulIrrep, "Irreps"]:
        item = super().__getitem__(index)
        return item if isinstance(item, MulIrrep) else Irreps(item)

    def __contains__(self, ir: Any) -> bool:
        """Whether an irrep occurs (with multiplicity zero too)."""
        wanted = Irrep(ir)
        return any(ir == wanted for _, ir in self)

    def __repr__(self) -> str:
        return "+".join(map(str, self)) if len(self) else "Irreps()"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = Irreps(other)
            except ValueError:
                return False
        if isinstance(other, tuple) and not isinstance(other, Irreps):
            return False  # not NotImplemented: then Python would compare the two as tuples
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(repr(self))  # of the string that they equal

    # Algebra

    def __add__(self, other: "IntoIrreps") -> "Irreps":  # type: ignore[override]  # a direct sum is again Irreps
        """Direct sum.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e") + "1o"
            2x0e+1x1o
        """
        return Irreps(tuple(self) + tuple(Irreps(other)))

    def __radd__(self, other: "IntoIrreps") -> "Irreps":
        if isinstance(other, int) and other == 0:  # so that the builtin sum works
            return self
        return Irreps(other) + self

    def __mul__(self, other: SupportsIndex) -> "Irreps":  # multiplies, not repeats
        """Multiply every multiplicity (to repeat the whole sequence use :meth:`repeat`).

        Example:
            >>> from irreps_core import Irreps
            >>> 2 * Irreps("2x0e + 1o")
            4x0e+2x1o
        """
        if isinstance(other, (Irreps, Irrep, MulIrrep, str)):
            raise TypeError(
                f"Irreps * {other!r}: only integers multiply; for a tensor product use irreps_ops.tensor_product"
            )
        factor = _non_negative_integer(other, "the factor of irreps", other)
        return Irreps([(item.mul * factor, item.ir) for item in self])

    __rmul__ = __mul__  # as __mul__

    def __floordiv__(self, other: SupportsIndex) -> "Irreps":
        """Divide every multiplicity, rounding down.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("12x0e + 7x1o") // 2
            6x0e+3x1o
        """
        divisor = _non_negative_integer(other, "the divisor of irreps", other)
        return Irreps([(item.mul // divisor, item.ir) for item in self])

    def repeat(self, n: int) -> "Irreps":
        """The sequence `n` times.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("0e + 1o").repeat(2)
            1x0e+1x1o+1x0e+1x1o
        """
        return Irreps(tuple(self) * _non_negative_integer(n, "the number of repetitions", n))

    def set_mul(self, mul: int) -> "Irreps":
        """The same irreps, each with multiplicity `mul`.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 1o").set_mul(8)
            8x0e+8x1o
        """
        return Irreps([(mul, item.ir) for item in self])

    # Rearranging

    def remove_zero_multiplicities(self) -> "Irreps":
        """Without the items of multiplicity zero.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("4x0e + 0x1o + 2e").remove_zero_multiplicities()
            4x0e+1x2e
        """
        return Irreps([item for item in self if item.mul > 0])

    def unify(self) -> "Irreps":
        """Merge neighbours of the same irrep.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("0e + 1o + 1o + 0x0e + 1o").unify()
            1x0e+2x1o+0x0e+1x1o
        """
        out: list[MulIrrep] = []
        for item in self:
            if out and out[-1].ir == item.ir:
                out[-1] = MulIrrep(out[-1].mul + item.mul, item.ir)
            else:
                out.append(item)
        return Irreps(out)

    def simplify(self) -> "Irreps":
        """Drop multiplicities of zero, then merge neighbours: the same data, the shortest description.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 0x0e + 1o + 0e + 1o").simplify()
            2x1o+1x0e+1x1o
        """
        return self.remove_zero_multiplicities().unify()

    def sort(self) -> Sorted:
        """Sort by irrep (0e, 0o, 1o, 1e, 2e, ...); equal irreps keep their order.

        Returns:
            The sorted irreps, the permutation `p` (new place of each item) and its inverse `inv`.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2o + 1e + 0e + 1e").sort()
            Sorted(irreps=1x0e+1x1e+1x1e+1x2o, p=(3, 1, 0, 2), inv=(2, 1, 3, 0))
        """
        inv = tuple(sorted(range(len(self)), key=lambda i: self[i].ir._order()))
        p = tuple(inv.index(i) for i in range(len(self)))
        return Sorted(Irreps([self[i] for i in inv]), p, inv)

    def regroup(self) -> "Irreps":
        """Sort, then simplify: every irrep once.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 0e + 2x1o + 0x2e").regroup()
            1x0e+3x1o
        """
        return self.sort().irreps.simplify()

    def filter(
        self,
        keep: "Selection" = None,
        *,
        drop: "Selection" = None,
        lmax: int | None = None,
        mask: Sequence[bool] | None = None,
    ) -> "Irreps":
        """Some of the items. Give exactly one criterion (none keeps all).

        Args:
            keep: irreps to keep, or a function of a :class:`MulIrrep`.
            drop: irreps to drop, or a function of a :class:`MulIrrep`.
            lmax: the highest degree to keep.
            mask: for each item whether to keep it.

        Raises:
            ValueError: two criteria, or a mask of the wrong length.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("8x0e + 4x1o + 2e").filter(keep="0e + 2e")
            8x0e+1x2e
            >>> Irreps("8x0e + 4x1o + 2e").filter(lmax=1)
            8x0e+4x1o
        """
        chosen = self.filter_mask(keep, drop=drop, lmax=lmax, mask=mask)
        return Irreps([item for item, yes in zip(self, chosen, strict=True) if yes])

    def filter_mask(
        self,
        keep: "Selection" = None,
        *,
        drop: "Selection" = None,
        lmax: int | None = None,
        mask: Sequence[bool] | None = None,
    ) -> tuple[bool, ...]:
        """For each item whether :meth:`filter` keeps it; same arguments.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("8x0e + 4x1o + 2e").filter_mask(drop="1o")
            (True, False, True)
        """
        given = {"keep": keep, "drop": drop, "lmax": lmax, "mask": mask}
        names = [name for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise ValueError(f"filter takes one criterion, got {' and '.join(names)}")
        if keep is not None:
            selects = _selector(keep)
            return tuple(selects(item) for item in self)
        if drop is not None:
            selects = _selector(drop)
            return tuple(not selects(item) for item in self)
        if lmax is not None:
            return tuple(item.ir.l <= lmax for item in self)
        if mask is None:
            return (True,) * len(self)
        if len(mask) != len(self):
            raise ValueError(f"the mask has {len(mask)} entries for the {len(self)} items of {self!r}")
        return tuple(bool(yes) for yes in mask)

    @property
    def slice_by_mul(self) -> MulSlicer["Irreps"]:
        """Slice counting irreps: ``irreps.slice_by_mul[1:3]``.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_mul[1:3]
            1x2e+1x0e
        """
        return MulSlicer(self, lambda irreps, _places, _start, _stop: irreps)

    @property
    def slice_by_dim(self) -> DimSlicer["Irreps"]:
        """Slice counting components: ``irreps.slice_by_dim[3:8]``; the cuts must fall between irreps.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_dim[3:8]
            1x2e
        """
        return DimSlicer(self, lambda irreps, _places, _start, _stop: irreps)

    @property
    def slice_by_chunk(self) -> ChunkSlicer["Irreps"]:
        """Slice counting items: ``irreps.slice_by_chunk[1:]``.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_chunk[1:]
            1x2e+3x0e
        """
        return ChunkSlicer(self, lambda irreps, _places: irreps)

    # Representation matrices

    def generators(self) -> np.ndarray:
        """Generators of the rotations about x, y and z, float64 of shape (3, dim, dim), block diagonal."""
        return block_diagonal_of(self, {ir: ir.generators() for _, ir in self}, (3,))

    def D_from_angles(self, alpha: Any, beta: Any, gamma: Any, k: Any = 0) -> Any:
        """Representation matrix of the rotation Ry(alpha) Rx(beta) Ry(gamma) after `k` inversions.

        Args:
            alpha: third rotation, about y, in radians, shape (...).
            beta: second rotation, about x, in radians, shape (...).
            gamma: first rotation, about y, in radians, shape (...).
            k: how many times space is inverted, integers of shape (...).

        Returns:
            Block diagonal orthogonal matrices of shape (..., dim, dim), in the kind of array that came.

        Example:
            >>> import numpy as np
            >>> from irreps_core import Irreps
            >>> Irreps("0e + 0o").D_from_angles(0.0, 0.0, 0.0, k=1)
            array([[ 1.,  0.],
                   [ 0., -1.]])
        """
        return self.D_from_quaternion(angles_to_quaternion(alpha, beta, gamma), k)

    def D_from_quaternion(self, q: Any, k: Any = 0) -> Any:
        """Representation matrix of quaternions (w, x, y, z) of shape (..., 4), of any length but zero.

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return representation_matrix(self, q, k)

    def D_from_matrix(self, R: Any) -> Any:
        """Representation matrix of orthogonal matrices, rotations or (determinant -1) mirrors.

        Args:
            R: orthogonal matrices of shape (..., 3, 3).

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.

        Example:
            >>> import numpy as np
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 1e").D_from_matrix(-np.eye(3)).diagonal()
            array([-1., -1., -1.,  1.,  1.,  1.])
        """
        return self.D_from_quaternion(*rotation_and_inversions(R))

    def D_from_axis_angle(self, axis: Any, angle: Any, k: Any = 0) -> Any:
        """Representation matrix of rotations about `axis` (..., 3) by `angle` (...) radians.

        Returns:
            Matrices of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return self.D_from_quaternion(axis_angle_to_quaternion(axis, angle), k)

    def D_from_log_coordinates(self, log_coordinates: Any, k: Any = 0) -> Any:
        """Representation matrix of log coordinates (axis times angle) of shape (..., 3).

        Returns:
            Matrices exp(sum_a v_a X_a) of shape (..., dim, dim), see :meth:`D_from_angles`.
        """
        return self.D_from_quaternion(log_coordinates_to_quaternion(log_coordinates), k)


# What can be written where irreps are expected.
IntoIrreps: TypeAlias = (
    Irreps | Irrep | MulIrrep | str | Iterable[str | Irrep | MulIrrep | tuple[int, IntoIrrep]] | None
)
# What can be written to choose some of the items.
Selection: TypeAlias = IntoIrreps | Iterable[IntoIrrep] | Callable[[MulIrrep], bool]


@cached()
def _parse(text: str) -> tuple[MulIrrep, ...]:
    if text.strip() in ("", "Irreps()"):  # the second is how the empty sum prints
        return ()
    terms = [parse_term(term, text) for term in text.split("+")]
    return tuple(MulIrrep(mul, Irrep(l, p)) for mul, l, p in terms)


def _item(x: Any) -> MulIrrep:
    if isinstance(x, MulIrrep):
        return x
    if isinstance(x, Irrep):
        return MulIrrep(1, x)
    if isinstance(x, str):
        items = _parse(x)
        if len(items) == 1:
            return items[0]
    elif isinstance(x, Sequence) and len(x) == 2:
        return MulIrrep(x[0], x[1])
    raise ValueError(f"expected an irrep, '16x1o' or a pair (multiplicity, irrep), got {x!r}")


def _selector(chosen: "Selection") -> Callable[[MulIrrep], bool]:
    if callable(chosen):
        return chosen
    if isinstance(chosen, (str, Irrep, MulIrrep, Irreps)) or chosen is None:
        wanted = {ir for _, ir in Irreps(chosen)}
    else:
        wanted = {Irrep(ir) for ir in _without_multiplicities(chosen)}
    return lambda item: item.ir in wanted


def _without_multiplicities(chosen: Iterable[Any]) -> Iterator[Any]:
    for x in chosen:
        yield x if isinstance(x, (Irrep, MulIrrep, tuple)) else Irreps(x)[0].ir
