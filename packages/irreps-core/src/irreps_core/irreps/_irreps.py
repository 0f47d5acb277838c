"""`Irreps`: a direct sum of irreducible representations, the type of equivariant data."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, TypeAlias, Union, overload

import numpy as np

from irreps_core._inputs._renamed import renamed_attribute
from irreps_core._inputs._shown import shown
from irreps_core.representations._direct_sum import block_diagonal_of

from ._irrep import IntoIrrep, Irrep, MulIrrep
from ._items import items_of
from ._matrices import HasMatrices
from ._parsing import non_negative_integer, parity
from ._renamed import RENAMED
from ._selection import selection_mask
from ._slicing import ChunkSlicer, DimSlicer, MulSlicer


class Sorted(NamedTuple):
    """Result of :meth:`Irreps.sort`.

    Attributes:
        irreps: the sorted irreps.
        p: ``p[i]`` is the new place of item i.
        inv: ``inv[j]`` is the old place of the item that is now at place j.
    """

    irreps: "Irreps"
    p: tuple[int, ...]
    inv: tuple[int, ...]


class Irreps(HasMatrices, tuple[MulIrrep, ...]):
    """Direct sum of irreps, each with a multiplicity: the type of equivariant data.

    It is a tuple of :class:`MulIrrep`, the items, and contains no data. Data of these irreps is an array whose last
    axis has length `dim`: the items follow one another there, and within ``mul x ir`` the multiplicity comes first, the
    component last.

    For convenience irreps also equal every string that denotes them; they share their hash with ``str(irreps)``. They
    do not equal a plain tuple of the same items.

    Args:
        irreps: a string such as ``"16x0e + 8x1o"``, an irrep, or a sequence of irreps, of terms or of pairs
            (mul, irrep). None and ``""`` are the empty sum.

    Raises:
        ValueError: the argument does not denote irreps.

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
        if isinstance(irreps, Irreps) and type(irreps) is cls:
            return irreps
        return super().__new__(cls, items_of(irreps))

    def __getnewargs__(self) -> tuple[tuple[MulIrrep, ...]]:
        return (tuple(self),)

    if not TYPE_CHECKING:  # a type checker should not accept every name

        def __getattr__(self, name: str) -> Any:
            return renamed_attribute(RENAMED, name, type(self), self)

    @staticmethod
    def spherical_harmonics(lmax: int, p: int = -1) -> "Irreps":
        """Return the irreps of the spherical harmonics of degrees 0 to `lmax` of a vector of parity `p`.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps.spherical_harmonics(3)
            1x0e+1x1o+1x2e+1x3o
            >>> Irreps.spherical_harmonics(2, p=1)
            1x0e+1x1e+1x2e
        """
        lmax, p = non_negative_integer(lmax, "lmax", lmax), parity(p, f"spherical_harmonics({lmax}, {p})")
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
            ValueError: there are no irreps.
        """
        degrees = [ir.l for mul, ir in self if mul > 0]
        if not degrees:
            raise ValueError(f"lmax of {shown(self)}, which has no irreps, is not defined")
        return max(degrees)

    def count(self, ir: IntoIrrep) -> int:  # counts an irrep, as e3nn does, where a tuple counts an item
        """Return the total multiplicity of an irrep.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 3x1o + 0e").count("0e")
            3
        """
        wanted = Irrep(ir)
        return sum(mul for mul, ir in self if ir == wanted)

    def index(self, ir: IntoIrrep) -> int:  # type: ignore[override]  # see `count`
        """Return the place of the first item of an irrep.

        Raises:
            ValueError: it does not occur.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 3x1o").index("1o")
            1
        """
        wanted = Irrep(ir)
        for i, (_, found) in enumerate(self):
            if found == wanted:
                return i
        raise ValueError(f"{wanted} is not in {shown(self)}")

    def is_scalar(self) -> bool:
        """Return whether every irrep is 0e (and there is at least one).

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 0e").is_scalar(), Irreps("0e + 0o").is_scalar()
            (True, False)
        """
        return {ir for _, ir in self} == {Irrep(0, 1)}

    def slices(self) -> list[slice]:
        """Return the slice of each item on the last axis of data.

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
        """Return whether an irrep occurs, also with multiplicity zero."""
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
        return hash(repr(self))  # the hash of the string that they equal

    # Algebra

    def __add__(self, other: "IntoIrreps") -> "Irreps":  # type: ignore[override]  # a direct sum is again Irreps
        """Return the direct sum.

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

    def __mul__(self, other: SupportsIndex) -> "Irreps":
        """Multiply every multiplicity. To repeat the whole sequence use :meth:`repeat`.

        Example:
            >>> from irreps_core import Irreps
            >>> 2 * Irreps("2x0e + 1o")
            4x0e+2x1o
        """
        if isinstance(other, (Irreps, Irrep, MulIrrep, str)):
            raise TypeError(
                f"Irreps * {shown(other)}: only integers multiply; for a tensor product use irreps_ops.tensor_product"
            )
        factor = non_negative_integer(other, "the factor of irreps", other)
        return Irreps([(item.mul * factor, item.ir) for item in self])

    __rmul__ = __mul__

    def __floordiv__(self, other: SupportsIndex) -> "Irreps":
        """Divide every multiplicity, rounding down.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("12x0e + 7x1o") // 2
            6x0e+3x1o
        """
        divisor = non_negative_integer(other, "the divisor of irreps", other)
        return Irreps([(item.mul // divisor, item.ir) for item in self])

    def repeat(self, n: int) -> "Irreps":
        """Repeat the whole sequence `n` times.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("0e + 1o").repeat(2)
            1x0e+1x1o+1x0e+1x1o
        """
        return Irreps(tuple(self) * non_negative_integer(n, "the number of repetitions", n))

    def set_mul(self, mul: int) -> "Irreps":
        """Return the same irreps, each with multiplicity `mul`.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("2x0e + 1o").set_mul(8)
            8x0e+8x1o
        """
        return Irreps([(mul, item.ir) for item in self])

    # Rearranging

    def remove_zero_multiplicities(self) -> "Irreps":
        """Drop the items of multiplicity zero.

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
        """Drop multiplicities of zero, then merge neighbours: the shortest description of the same data.

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
        """Sort and simplify, so that every irrep occurs once.

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
        """Keep some of the items. Give at most one criterion; without one, all items are kept.

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
        """Return for each item whether :meth:`filter` keeps it; same arguments.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("8x0e + 4x1o + 2e").filter_mask(drop="1o")
            (True, False, True)
        """
        return selection_mask(self, keep, drop, lmax, mask)

    @property
    def slice_by_mul(self) -> MulSlicer["Irreps"]:
        """Slices that count irreps: ``irreps.slice_by_mul[1:3]``.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_mul[1:3]
            1x2e+1x0e
        """
        return MulSlicer(self, lambda irreps, _places, _start, _stop: irreps)

    @property
    def slice_by_dim(self) -> DimSlicer["Irreps"]:
        """Slices that count components, cut between irreps: ``irreps.slice_by_dim[3:8]``.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_dim[3:8]
            1x2e
        """
        return DimSlicer(self, lambda irreps, _places, _start, _stop: irreps)

    @property
    def slice_by_chunk(self) -> ChunkSlicer["Irreps"]:
        """Slices that count items: ``irreps.slice_by_chunk[1:]``.

        Example:
            >>> from irreps_core import Irreps
            >>> Irreps("1o + 2e + 3x0e").slice_by_chunk[1:]
            1x2e+3x0e
        """
        return ChunkSlicer(self, lambda irreps, _places: irreps)

    # Representation matrices; the methods D_from_* are inherited

    def _items(self) -> "Irreps":
        return self

    def generators(self) -> np.ndarray:
        """Return the generators of the rotations about x, y and z, float64 of shape (3, dim, dim), block diagonal."""
        return block_diagonal_of(self, {ir: ir.generators() for _, ir in self}, (3,))


IntoIrreps: TypeAlias = (
    Irreps | Irrep | MulIrrep | str | Iterable[str | Irrep | MulIrrep | tuple[int, IntoIrrep]] | None
)
"""What functions accept as irreps: anything of which :class:`Irreps` can be made, such as ``"8x0e + 4x1o"``."""
# The types that `filter` accepts as a selection of irreps.
Selection: TypeAlias = IntoIrreps | Iterable[IntoIrrep] | Callable[[MulIrrep], bool]
