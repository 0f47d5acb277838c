"""What may index a signal: its leading axes, not its grid."""

from types import EllipsisType
from typing import TYPE_CHECKING, Any

from irreps_core.arrays._indexing import _consumed

if TYPE_CHECKING:
    from ._spherical_signal import SphericalSignal


def check_leading(signal: "SphericalSignal", index: Any) -> None:
    """That ``signal.grid_values[index]`` has the grid of `signal` as its last two axes.

    Raises:
        IndexError: it has not.
    """
    entries = index if isinstance(index, tuple) else (index,)
    rest = signal.ndim - sum(_consumed(entry) for entry in entries)
    axis = 0
    for entry in entries:
        ellipsis = isinstance(entry, EllipsisType)
        axis += rest if ellipsis else _consumed(entry)
        whole = ellipsis or (isinstance(entry, slice) and entry == slice(None))
        if axis > signal.ndim - 2 and not whole:
            raise IndexError(
                f"the index {index!r} reaches the grid of a signal of shape {signal.shape}: index the leading axes "
                "alone, or .grid_values"
            )
