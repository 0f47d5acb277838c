"""Benchmark of MACE on molecules of aspirin: energies and forces, and a training step, next to e3nn-jax.

    uv run --no-default-groups --group peers python benchmarks/mace_training.py [--molecules 32] [--channels 64]

Both libraries compute the same formulas with the same weights. This is proven first: the energies and forces of a small
network for two molecules must agree to 1e-5 of the largest. By default there are two layers, harmonics to degree 2,
features to degree 1 between the layers, products up to order 3 with weights for each species, and a radial network
8-64-64-64-paths. README.md describes the measures and the table.
"""

import argparse
import json
import pathlib
import sys
from dataclasses import replace

import jax
import report
from side_by_side import run
from workloads import mace

from irreps_ops.checkpoint import write_file


def proof() -> list[str]:
    """Return where the libraries differ by more than 1e-5 for a small network."""
    found = []
    for comparison in mace.comparisons(mace.Sizes(molecules=2, channels=4), ("inference",)):
        found += report.records(replace(comparison, tolerance=1e-5), run(comparison, 1), bandwidth=1e9)
    for record in found:
        print(
            f"a small network: {record['library']} differs from {record['reference']} by {record['relative_error']:.0e}"
        )
    return report.disagreements(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in mace.Sizes()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--repeat", type=int, help="turns of each library (default: 15 on a CPU, 50 on a GPU)")
    parser.add_argument("--json", type=pathlib.Path, help="write all results to this file")
    options = parser.parse_args()
    jax.config.update("jax_default_matmul_precision", "highest")
    different = proof()
    if different:
        print("\n".join(different))
        return 1
    sizes = mace.Sizes(**{name: getattr(options, name) for name in mace.Sizes._fields})
    found = report.run_all(mace.comparisons(sizes), options.repeat)
    if options.json:
        write_file(options.json, json.dumps(found, indent=1))
    print("\n".join(different := report.disagreements(found["measurements"])))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
