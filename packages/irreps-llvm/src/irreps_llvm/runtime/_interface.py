"""XLA's foreign function interface: versions, constants and memory layouts, read from the header that JAX ships.

The layouts are computed from the header, so that the generated handler always agrees with the running XLA.
"""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "XLA_FFI_"
_SIZES = {"size_t": 8, "int64_t": 8, "uint64_t": 8, "int32_t": 4, "uint32_t": 4, "int": 4}
# The interface may change freely from one major version to the next.
_KNOWN_MAJOR = 0


class UnknownInterface(ValueError):
    """The header of the running XLA is missing, or describes an interface that this package does not know."""


class Interface:
    r"""Numbers of a header of the interface, by name.

    ``"API_MAJOR"`` and ``"API_MINOR"`` are the version, ``"Error_Code_INTERNAL"`` is an enumerator,
    ``"CallFrame.args.size"`` the offset of a member in bytes, and ``"sizeof.Buffer"`` the size that XLA expects in the
    member ``struct_size``. The prefix ``XLA_FFI_`` is left out.

    Args:
        header: text of the C header.

    Raises:
        UnknownInterface: the header has another major version, or a requested name cannot be found in it.

    Example:
        >>> Interface("#define XLA_FFI_API_MAJOR 0\nstruct XLA_FFI_Pair { int a; void* b; };")["Pair.b"]
        8
    """

    def __init__(self, header: str) -> None:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.DOTALL)
        self._structs = dict(re.findall(r"\bstruct (\w+) \{([^}]*)\}", text))
        self._enums = set(re.findall(r"\benum \{[^}]*\} (\w+);", text)) | set(re.findall(r"\benum (\w+) \{", text))
        self._types = {new: old for old, new in re.findall(r"\btypedef (\w+) (\w+);", text)}
        self._last = dict(re.findall(r"STRUCT_TRAITS\((\w+),\s*(\w+)\);", text))
        defined = re.findall(r"#define (XLA_FFI_\w+) (\d+)\s", text)
        self._constants = {name: int(value) for name, value in [*defined, *re.findall(r"\b(\w+) = (\d+)[,\s]", text)]}
        if self["API_MAJOR"] != _KNOWN_MAJOR:
            raise UnknownInterface(
                f"expected major version {_KNOWN_MAJOR} of XLA's foreign function interface, received "
                f"{self['API_MAJOR']}; install a newer irreps-llvm or an older JAX"
            )

    def __getitem__(self, name: str) -> int:
        try:
            kind, _, members = name.partition(".")
            if kind == "sizeof":
                struct = _PREFIX + members
                return self._offset(struct, [self._last[struct]]) + self._size_and_alignment(self._last_type(struct))[0]
            return self._offset(_PREFIX + kind, members.split(".")) if members else self._constants[_PREFIX + kind]
        except KeyError as error:
            raise UnknownInterface(
                f"the header of XLA's foreign function interface lacks {error.args[0]!r}, which {name!r} needs; "
                "install a newer irreps-llvm or an older JAX"
            ) from None

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        return self["API_MAJOR"], self["API_MINOR"]

    def _fields(self, struct: str) -> Iterator[tuple[str, str]]:
        """Yield name and type of each member; ``"*"`` is the type of all pointers."""
        for declaration in filter(None, map(str.strip, self._structs[struct].split(";"))):
            pointer = re.match(r"\w*STRUCT_FIELD\((\w+)\)|.*\(\*(\w+)\)", declaration, re.DOTALL)
            if pointer:
                yield (pointer[1] or pointer[2]).removeprefix(_PREFIX), "*"
            else:
                kind, name = declaration.rsplit(None, 1)
                yield name.lstrip("*"), "*" if "*" in declaration else kind.split()[-1]

    def _last_type(self, struct: str) -> str:
        return dict(self._fields(struct))[self._last[struct].removeprefix(_PREFIX)]

    def _size_and_alignment(self, kind: str) -> tuple[int, int]:
        kind = self._types.get(kind, kind)
        if kind == "*":
            return 8, 8
        if kind in self._enums:
            return 4, 4
        if kind not in self._structs:
            return _SIZES[kind], _SIZES[kind]
        end, alignment = 0, 1
        for _, each in self._fields(kind):
            size, step = self._size_and_alignment(each)
            end, alignment = -(-end // step) * step + size, max(alignment, step)
        return -(-end // alignment) * alignment, alignment

    def _offset(self, struct: str, members: list[str]) -> int:
        end = 0
        for name, kind in self._fields(struct):
            size, step = self._size_and_alignment(kind)
            start = -(-end // step) * step
            if name == members[0].removeprefix(_PREFIX):
                return start + (self._offset(kind, members[1:]) if members[1:] else 0)
            end = start + size
        raise KeyError(f"{struct}.{members[0]}")


@functools.cache  # of one process: the header belongs to the imported JAX
def running_interface() -> Interface:
    """Return the interface of the running XLA.

    Raises:
        UnknownInterface: its header cannot be read, or has another major version.
    """
    # The other chapters do not need JAX.
    import jax

    path = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    try:
        return Interface(path.read_text())
    except OSError as error:
        raise UnknownInterface(
            f"the header of XLA's foreign function interface cannot be read ({error}); reinstall JAX"
        ) from error
