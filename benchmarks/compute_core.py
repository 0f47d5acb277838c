"""Benchmark of the operations of the compute core against other libraries, turn by turn in one process.

    python benchmarks/compute_core.py [--only conv sym/forward ...] [--size cpu] [--repeat 15] [--json FILE]

README.md in this folder describes the workloads and the table. Libraries that are not installed are left out. The exit
status is 1 if values disagree.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Callable, Iterator

import report
from side_by_side import Comparison
from workloads import channelwise, convolution, linear, model, products, symmetric_contraction

from irreps_ops.checkpoint import write_file

WORKLOADS: dict[str, Callable[[str], Iterator[Comparison]]] = {
    "conv": convolution.comparisons,
    "uneven": convolution.uneven,
    "sym": symmetric_contraction.comparisons,
    "model": model.comparisons,
    "molecule": model.molecule,
    "full": products.full,
    "connected": products.fully_connected,
    "large": products.large,
    "linear": linear.comparisons,
    "uvu": channelwise.comparisons,
}


def main() -> None:
    """Print the table and write the JSON file."""
    options = arguments()
    found = report.run_all(chosen(options.size, options.only), options.repeat)
    if options.json:
        write_file(options.json, json.dumps({"size": options.size, **found}, indent=1) + "\n")
    if wrong := report.disagreements(found["measurements"]):
        sys.exit("VALUES DISAGREE\n" + "\n".join(wrong))


def chosen(size: str, only: list[str] | None) -> Iterator[Comparison]:
    """Yield the selected comparisons.

    Args:
        size: key of the sizes of each workload.
        only: names of workloads, each optionally followed by a slash and part of the name of a measure (default: all).
    """
    pairs = [name.partition("/") for name in only or WORKLOADS]
    for workload, comparisons in WORKLOADS.items():
        measures = [measure for name, _, measure in pairs if name == workload]
        if measures:
            yield from (c for c in comparisons(size) if any(measure in c.measure for measure in measures))


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME[/MEASURE]", help=f"workloads: {', '.join(WORKLOADS)}")
    parser.add_argument("--size", choices=("tiny", "cpu", "gpu"), default="cpu", help="sizes (default: cpu)")
    parser.add_argument("--repeat", type=int, help="number of turns (default: 15 on a CPU, 50 on a GPU)")
    parser.add_argument("--json", type=pathlib.Path, help="write all results to this file")
    options = parser.parse_args()
    if unknown := {name.split("/")[0] for name in options.only or ()} - set(WORKLOADS):
        parser.error(f"unknown workload {', '.join(sorted(unknown))}: choose from {', '.join(WORKLOADS)}")
    return options


if __name__ == "__main__":
    main()
