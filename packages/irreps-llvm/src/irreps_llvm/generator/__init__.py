"""From polynomials to loop programs."""

from ._generator import Generated, Generator, Registers, Workspace, size_name

__all__ = ["Generated", "Generator", "Registers", "Workspace", "size_name"]
