"""The command line: ``python -m irreps_core show "128x0e+64x1o"``, ``product``, ``plugins`` and ``guide``."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.resources import files
from typing import NoReturn

from . import Irrep, Irreps, __version__, plugins, shown
from ._inputs._shown import shortened

_LARGEST = 200_000  # irreps of a product
_NAMES = {(0, 1): "scalar", (0, -1): "pseudoscalar", (1, -1): "vector", (1, 1): "pseudovector"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the name of the program. Default: those of this process.

    Returns:
        The exit code: 0, 1 if the output cannot be written, or 2 after bad input.

    Example:
        >>> main(["product", "1o", "2e"])
        1o x 2e: 15 components
        irrep  copies  components  from
        1o     1       3           1o x 2e
        2o     1       5           1o x 2e
        3o     1       7           1o x 2e
        total  3       15
        0
    """
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    # "-1x0e" is malformed irreps, not an option. A space in front tells argparse so.
    try:
        words = parser.parse_args([f" {word}" if word[:1] == "-" and word[1:2].isdigit() else word for word in given])
    except SystemExit as stop:  # after --help, --version or an error
        raise SystemExit(_write("", end="") or stop.code) from None
    try:
        text = words.table(words)
    except (ValueError, OverflowError) as error:  # sizes can be beyond the numbers that Python prints
        parser.error(str(error))
    return _write(text)


def print_guide(package: str, version: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command line of a package that has a guide and no other command, ``python -m PACKAGE guide``.

    Args:
        package: name of the package, which contains the file ``guide.md``.
        version: its version.
        arguments: as for :func:`main`.

    Returns:
        The exit code.
    """
    parser = _Parser(prog=f"python -m {package}", description=f"Print the guide to {package}, in Markdown.")
    parser.add_argument("--version", action="version", version=f"{package} {version}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("guide", help="print imports, idioms and mistakes on a few pages")
    parser.parse_args(arguments)
    return _write(_guide(package), end="")


def _guide(package: str) -> str:
    return files(package).joinpath("guide.md").read_text(encoding="utf-8")


def _write(text: str, end: str = "\n") -> int:
    """Print a text; say in one line why it cannot be written, and nothing if the reader has gone."""
    try:
        print(text, end=end)
        sys.stdout.flush()
    except (OSError, UnicodeEncodeError) as error:
        # What is left in the buffer would fail again at the end of the process.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"python -m irreps_core: cannot write the output: {error}", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose messages quote long arguments in part."""

    def error(self, message: str) -> NoReturn:
        super().error(shortened(message, 1000))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m irreps_core",
        description="Describe irreps, their products and the installed plugins; print a guide.",
    )
    parser.add_argument("--version", action="version", version=f"irreps-core {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    show = commands.add_parser("show", help="list the items of irreps: slices, dimensions, memory")
    show.add_argument("irreps", metavar="IRREPS", help="such as '128x0e+64x1o'")
    show.set_defaults(table=lambda words: _show(_irreps(words.irreps)))

    product = commands.add_parser("product", help="list the irreps of a tensor product (selection rules)")
    product.add_argument("left", metavar="IRREPS", help="such as '1o' or '8x0e+4x1o'")
    product.add_argument("right", metavar="IRREPS")
    product.set_defaults(table=lambda words: _product(_irreps(words.left), _irreps(words.right)))

    listing = commands.add_parser("plugins", help="import the installed plugins, and list whether they are ready")
    listing.set_defaults(table=lambda words: _plugins())

    guide = commands.add_parser("guide", help="print imports, idioms and mistakes on a few pages")
    guide.set_defaults(table=lambda words: _guide("irreps_core").rstrip())
    return parser


def _irreps(text: str) -> Irreps:
    irreps = Irreps(text.strip())
    if not irreps:
        raise ValueError(f"expected irreps such as '128x0e+64x1o', got {shown(text)}")
    return irreps


def _show(irreps: Irreps) -> str:
    rows = [("irreps", "kind", "copies", "components", "slice", "float32 row")]
    for item, place in zip(irreps, irreps.slices(), strict=True):
        parity = "even" if item.ir.p == 1 else "odd"
        kind = _NAMES.get((item.ir.l, item.ir.p), f"degree {item.ir.l}, {parity}")
        size = f"{item.mul} x {item.ir.dim} = {item.dim}"
        rows.append((str(item), kind, str(item.mul), size, f"{place.start}:{place.stop}", _bytes(4 * item.dim)))
    rows.append(("total", "", str(irreps.num_irreps), str(irreps.dim), f"0:{irreps.dim}", _bytes(4 * irreps.dim)))
    return _table(rows)


def _product(left: Irreps, right: Irreps) -> str:
    first, second = (_multiplicities(irreps) for irreps in (left, right))
    if len(first) * len(second) > _LARGEST or sum(_count(a, b) for a in first for b in second) > _LARGEST:
        raise ValueError(
            f"expected a product of at most {_LARGEST:,} irreps before equal ones are added, got more: give fewer "
            "different irreps, or lower degrees"
        )
    copies: dict[Irrep, int] = {}
    sources: dict[Irrep, list[str]] = {}
    for ir_1, mul_1 in first.items():
        for ir_2, mul_2 in second.items():
            for ir in ir_1 * ir_2:
                copies[ir] = copies.get(ir, 0) + mul_1 * mul_2
                sources.setdefault(ir, []).append(f"{ir_1} x {ir_2}")
    rows = [("irrep", "copies", "components", "from")]
    rows += [(str(ir), str(copies[ir]), str(copies[ir] * ir.dim), _some(sources[ir])) for ir in sorted(copies)]
    rows.append(("total", str(sum(copies.values())), str(left.dim * right.dim), ""))
    return f"{_short(left)} x {_short(right)}: {left.dim * right.dim} components\n{_table(rows)}"


def _multiplicities(irreps: Irreps) -> dict[Irrep, int]:
    """Return the total multiplicity of each irrep that occurs, in the order of the first items."""
    found: dict[Irrep, int] = {}
    for mul, ir in irreps:
        found[ir] = found.get(ir, 0) + mul
    return found


def _count(a: Irrep, b: Irrep) -> int:
    """Return the number of irreps of a product."""
    return 2 * min(a.l, b.l) + 1


def _some(names: Sequence[str]) -> str:
    """Return names joined by commas; of many only the first ones, and how many more there are."""
    rest = [f"{len(names) - 20} more"] if len(names) > 20 else []
    return ", ".join([*names[:20], *rest])


def _plugins() -> str:
    found = plugins.available()
    if not found:
        return "no plugins are installed"
    rows: list[tuple[str, ...]] = [("group", "name", "distribution", "version", "state")]
    for status in found:
        plugin = status.plugin
        state = f"{status.state}: {status.reason}" if status.reason else status.state
        rows.append(tuple(map(_line, (plugin.group, plugin.name, plugin.distribution, plugin.version, state))))
    return _table(rows)


def _line(text: str) -> str:
    """Return a text of a plugin as one line that a terminal can show, cut to a length."""
    shown = "".join(c if c.isprintable() else " " for c in text[:500])
    return shown if len(text) <= 500 else f"{shown} ..."


def _short(irreps: Irreps) -> str:
    """Return the irreps as text without 1x, and without the middle of a very long one."""
    text = "+".join(str(item.ir) if item.mul == 1 else str(item) for item in irreps)
    return text if len(text) <= 1000 else f"{text[:490]} ... {text[-490:]}"


def _bytes(number: int) -> str:
    return f"{number} B" if number < 1024 else f"{number / 1024:.4g} KiB"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)] + [0]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
