"""The cost model: all constants that decide the size of tiles and the cheapest way to evaluate a path.

Each constant names the platform that it was measured on and the workload of ``benchmarks/compute_core.py`` that shows
its effect (``--only WORKLOAD``). The model distinguishes two kinds of platforms: CPUs, where intermediate results
should stay in the cache of a core, and accelerators, where memory is large and a loop leaves most of the device idle.
"""

import math

from irreps_ops._inputs._sizes import is_known

# Sizes of tiles.

# CPU, `full`, `uvu` and `linear`: bytes of the batch in a tile, read, written and intermediate. Half of it and twice as
# much are as fast.
TILE_BYTES = 2 << 20
# CPU, `linear`: fewer tiles do not pay for a loop.
FEWEST_TILES = 8
# CPU, `conv`: edges in a tile of an edge convolution. Their messages stay in the cache of a core.
TILE_EDGES = 512
# CPU, `conv` and `model`: bytes of the hidden activations of a radial network in a tile, of which a derivative makes
# several. With smaller tiles cores wait for each other.
HIDDEN_BYTES = 2 << 20
# H200, `conv --size gpu`: rows of up to four edges that are processed at once. Fewer leave cores idle, more need much
# memory.
ROWS_AT_ONCE = 8192
# CPU, `conv`: slots in a row of edges. Wider rows leave more slots empty, narrower ones are more rows to add up.
WIDEST_ROW = 4

# Bytes of intermediate results that the executor `xla` allows for.
# CPU, `sym`: the caches of a core.
_CACHE_BYTES = 4 << 20
# H200, `sym --size gpu`.
_MEMORY_BYTES = 512 << 20

# Assumed where the size of a batch is symbolic, in programs for ``jax.export``; not measured.
TYPICAL_SIZE = 1024

# The executor `xla`: costs in multiply-adds of a matrix product.

# CPU, `sym`: the cost of one elementwise operation, in multiply-adds.
ELEMENTWISE = 16
# CPU, `sym`: matrix products narrower than this cost as much as if they had this many columns.
THIN = 8
# CPU, `uvu`: a contraction pair by pair makes fewer and larger products, so it benefits this many times less from the
# cache: its intermediate results may be this many times larger before the batch is cut into tiles.
PAIRWISE_CACHE_GAIN = 8
# CPU, `sym`: intermediate results for this many positions of the outer axes should fit in the cache.
OUTER_AT_ONCE = 8
# CPU, `full`: with at most this many terms, a sum of products written out is faster than a batched matrix product.
UNROLLED_TERMS = 16
# With more tensors than this, a search over all orders of contraction takes too long; the cheapest pair is taken each
# time. A limit on compile time, not measured.
ALL_ORDERS = 6

# Throughput on two CPU cores, per nanosecond; `conv` and `sym`.
MULTIPLY_ADDS_PER_NS = 50
BYTES_PER_NS = 10
# Two CPU cores, one molecule: the least that a path costs, in XLA's loops.
PATH_NS = 2_000
EDGE_ROWS_MULTIPLY_ADDS_PER_NS = 10


def estimated(size: int) -> int:
    """Return the size to estimate costs with: a typical one where it is symbolic."""
    return size if is_known(size) else TYPICAL_SIZE


def is_accelerator(platform: str | None) -> bool:
    """Tell whether a platform is anything but a CPU. None, a program for several platforms, counts as a CPU."""
    return platform not in (None, "cpu")


def intermediate_bytes(platform: str | None) -> int:
    """Return how many bytes of intermediate results the executor `xla` allows for."""
    return _MEMORY_BYTES if is_accelerator(platform) else _CACHE_BYTES


def tiles_at_once(platform: str | None, tile: int) -> int:
    """Return how many tiles of an indexed sum are processed at once, for tiles of `tile` rows."""
    return max(1, ROWS_AT_ONCE // tile) if is_accelerator(platform) and is_known(tile) else 1


def tile_count(batch: int, numbers: int, itemsize: int) -> int:
    """Return into about how many tiles a batch is cut whose elements take `numbers` numbers each; 1 if symbolic."""
    if not (is_known(batch) and is_known(numbers)):
        return 1
    count = math.ceil(batch * numbers * itemsize / TILE_BYTES)
    return count if count >= FEWEST_TILES else 1


def tile_length(batch: int, count: int) -> int:
    """Return the length of about `count` tiles, one that divides the batch if there is such a length nearby.

    A symbolic batch is a single tile.
    """
    if not is_known(batch):
        return batch
    longest = math.ceil(batch / count)
    return next((n for n in range(longest, longest // 2, -1) if batch % n == 0), longest)
