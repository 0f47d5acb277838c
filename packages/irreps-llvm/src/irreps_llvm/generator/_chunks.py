"""How the batch is cut into blocks, and blocks are joined to chunks."""

from irreps_llvm.program import Builder, Integer, Value

_MOST_BLOCKS = 256  # chunks at most; partial sums are kept for each
_FEWEST_BLOCKS = 16  # chunks at most, where partial sums are large
CHUNKS_THAT_SCATTER = 8  # chunks at most, where each has its own sums for all rows of an output
_PARTIAL_NUMBERS = 1 << 20
_BLOCKS_IN_A_CHUNK = 2
_SCRATCH_BYTES = 384 << 10
_LONGEST_BLOCK = 48
# On a GPU, which has thousands of small blocks at work. Chosen by reasoning; nothing has been measured.
_MOST_BLOCKS_OF_THREADS = 2048
_LONGEST_BLOCK_OF_THREADS = 32


def block_length(numbers: int, itemsize: int, widest: int, *, threads: bool = False) -> int:
    """Return how many elements of the batch form a block, if each needs `numbers` numbers of scratch memory.

    Args:
        numbers: numbers of scratch memory for an element.
        itemsize: bytes of a number.
        widest: lanes of the widest vector.
        threads: whether the lanes are threads of a GPU.

    Raises:
        ValueError: not even one element fits.
    """
    step = 8 if threads else max(widest, 8)
    fitting = _SCRATCH_BYTES // (max(numbers, 1) * itemsize)
    if fitting == 0:
        raise ValueError(f"one element of the batch needs {numbers * itemsize} bytes of scratch memory")
    if fitting < step:
        return fitting
    longest = _LONGEST_BLOCK if itemsize == 4 and not threads else _LONGEST_BLOCK_OF_THREADS
    return min(longest, fitting // step * step)


def fits(numbers: int, itemsize: int) -> bool:
    """Tell whether an element of the batch may need this many numbers of scratch memory."""
    return numbers * itemsize <= _SCRATCH_BYTES


def most_chunks(partial_numbers: int, *, threads: bool = False) -> int:
    """Return into how many chunks a batch is cut at most, if each has this many numbers of partial sums."""
    most = _MOST_BLOCKS_OF_THREADS if threads else _MOST_BLOCKS
    if partial_numbers == 0:
        return most
    return min(most, max(_FEWEST_BLOCKS, (most // _MOST_BLOCKS) * _PARTIAL_NUMBERS // partial_numbers))


def chunk_count(batch: int, block: int, most: int) -> int:
    """Return the number of chunks, as the program computes it."""
    blocks = -(-batch // block)
    grain = block * max(_BLOCKS_IN_A_CHUNK, -(-blocks // most))
    return -(-batch // grain)


def emit_grain(builder: Builder, batch: Value, block: int, most: int) -> Integer:
    """Append code that computes the number of elements in a chunk."""
    blocks = builder.ceil_div(batch, block)
    return builder.mul(builder.max(_BLOCKS_IN_A_CHUNK, builder.ceil_div(blocks, most)), block)


def emit_chunk_count(builder: Builder, batch: Value, block: int, most: int) -> Integer:
    """Append code that computes the number of chunks; :func:`chunk_count` returns the same number."""
    grain = emit_grain(builder, batch, block, most)
    return builder.div(builder.add(batch, builder.sub(grain, 1)), grain)
