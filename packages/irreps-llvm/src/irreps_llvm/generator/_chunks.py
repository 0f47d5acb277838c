"""How the batch is cut into blocks, and blocks are joined to chunks."""

from irreps_llvm.program import Builder, Integer, Value

_MOST_BLOCKS = 256  # chunks at most; partial sums are kept for each
_FEWEST_BLOCKS = 16  # chunks at most, where partial sums are large
_PARTIAL_NUMBERS = 1 << 20
_BLOCKS_IN_A_CHUNK = 2
_SCRATCH_BYTES = 384 << 10
_LONGEST_BLOCK = 48


def block_length(numbers: int, itemsize: int, widest: int) -> int:
    """Return how many elements of the batch form a block, if each needs `numbers` numbers of scratch memory.

    Raises:
        ValueError: not even a short block fits.
    """
    step = max(widest, 8)
    fitting = _SCRATCH_BYTES // (max(numbers, 1) * itemsize)
    if fitting < step:
        raise ValueError(f"one element of the batch needs {numbers * itemsize} bytes of scratch memory")
    return min(_LONGEST_BLOCK if itemsize == 4 else 32, fitting // step * step)


def most_chunks(partial_numbers: int) -> int:
    """Return into how many chunks a batch is cut at most, if each has this many numbers of partial sums."""
    if partial_numbers == 0:
        return _MOST_BLOCKS
    return min(_MOST_BLOCKS, max(_FEWEST_BLOCKS, _PARTIAL_NUMBERS // partial_numbers))


def chunk_count(batch: int, block: int, most: int) -> int:
    """Return the number of chunks, as the program computes it."""
    blocks = -(-batch // block)
    grain = block * max(_BLOCKS_IN_A_CHUNK, -(-blocks // most))
    return -(-batch // grain)


def emit_grain(builder: Builder, batch: Value, block: int, most: int) -> Integer:
    """Append code that computes the number of elements in a chunk."""
    blocks = builder.ceil_div(batch, block)
    return builder.mul(builder.max(_BLOCKS_IN_A_CHUNK, builder.ceil_div(blocks, most)), block)
