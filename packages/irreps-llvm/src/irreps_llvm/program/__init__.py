"""Loop programs: a small form between polynomials and machine code, which can be printed and interpreted."""

from ._instructions import (
    Buffer,
    Builder,
    Element,
    Float,
    Instruction,
    Integer,
    Loop,
    Part,
    Program,
    Stage,
    Statement,
    Value,
    When,
)
from ._interpreter import chunks_of, interpret
from ._printing import printed

__all__ = [
    "Buffer",
    "Builder",
    "Element",
    "Float",
    "Instruction",
    "Integer",
    "Loop",
    "Part",
    "Program",
    "Stage",
    "Statement",
    "Value",
    "When",
    "chunks_of",
    "interpret",
    "printed",
]
