"""The operations of the compute core beside the peers, turn by turn in one process.

    python benchmarks/compute_core.py [--only conv sym/forward ...] [--size cpu] [--repeat 15] [--json FILE]

README.md in this folder says what the workloads are and how to read the table. Peers that are not installed are left
out. The exit status is 1 if values disagree.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Callable, Iterator

import report
from side_by_side import Comparison
from workloads import channelwise, convolution, linear, model, products, symmetric_contraction

WORKLOADS: dict[str, Callable[[str], Iterator[Comparison]]] = {
    "conv": convolution.comparisons,
    "uneven": convolution.uneven,
    "sym": symmetric_contraction.comparisons,
    "model": model.comparisons,
    "full": products.full,
    "connected": products.fully_connected,
    "large": products.large,
    "linear": linear.comparisons,
    "uvu": channelwise.comparisons,
}


def main() -> None:
    """Print the table, write the JSON."""
    options = arguments()
    found = report.measure(chosen(options.size, options.only), options.repeat)
    if options.json:
        options.json.write_text(json.dumps({"size": options.size, **found}, indent=1) + "\n")
    if wrong := report.disagreements(found["measurements"]):
        sys.exit("VALUES DISAGREE\n" + "\n".join(wrong))


def chosen(size: str, only: list[str] | None) -> Iterator[Comparison]:
    """The comparisons that are asked for: all of a workload, or those whose task contains what follows the slash."""
    pairs = [name.partition("/") for name in only or WORKLOADS]
    for workload, comparisons in WORKLOADS.items():
        tasks = [task for name, _, task in pairs if name == workload]
        if tasks:
            yield from (c for c in comparisons(size) if any(task in c.task for task in tasks))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME[/TASK]", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--size", choices=("tiny", "cpu", "gpu"), default="cpu")
    parser.add_argument("--repeat", type=int, help="turns (default: 15 on a CPU, 50 on a GPU)")
    parser.add_argument("--json", type=pathlib.Path, help="file to write")
    options = parser.parse_args()
    if unknown := {name.split("/")[0] for name in options.only or ()} - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}: choose from {', '.join(WORKLOADS)}")
    return options


if __name__ == "__main__":
    main()
