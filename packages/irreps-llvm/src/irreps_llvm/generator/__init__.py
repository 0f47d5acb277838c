"""From polynomials to loop programs."""

from ._chunks import CHUNKS_THAT_SCATTER
from ._generator import Generated, generate
from ._memory import Registers, Workspace, size_name
from ._products import operations
from ._visit import needs_little_memory, visits

__all__ = [
    "CHUNKS_THAT_SCATTER",
    "Generated",
    "Registers",
    "Workspace",
    "generate",
    "needs_little_memory",
    "operations",
    "size_name",
    "visits",
]
