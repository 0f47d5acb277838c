"""Benchmark of Clebsch-Gordan coefficients: accuracy, and time in a fresh process against e3nn-jax if installed.

uv run python benchmarks/clebsch_gordan.py
uv run --no-default-groups --group peers python benchmarks/clebsch_gordan.py
"""

import importlib.util
import subprocess
import sys

import numpy as np

from irreps_core import clebsch_gordan, clebsch_gordan_sparse, generators

COLD = """
import time
from {module} import clebsch_gordan
start = time.perf_counter()
for a in range({lmax} + 1):
    for b in range({lmax} + 1):
        for c in range(abs(a - b), min(a + b, {lmax}) + 1):
            clebsch_gordan(a, b, c)
print(time.perf_counter() - start)
"""


def errors(l1: int, l2: int, l3: int) -> tuple[float, float]:
    """Return the errors of orthogonality and of invariance under the three generators."""
    C = clebsch_gordan(l1, l2, l3)
    gram = (2 * l3 + 1) * np.einsum("ijk,ijl->kl", C, C, optimize=True)
    X1, X2, X3 = generators(l1), generators(l2), generators(l3)
    moved = (
        np.einsum("ail,ljk->aijk", X1, C, optimize=True)
        + np.einsum("ajl,ilk->aijk", X2, C, optimize=True)
        + np.einsum("akl,ijl->aijk", X3, C, optimize=True)
    )
    # Relative to the size of the generators, whose largest element is about l.
    return float(np.abs(gram - np.eye(2 * l3 + 1)).max()), float(np.abs(moved).max() / max(l1, l2, l3, 1))


def main() -> None:
    """Print the table."""
    for lmax in (6, 10):
        for module in ("irreps_core", "e3nn_jax"):
            if importlib.util.find_spec(module):
                code = COLD.format(module=module, lmax=lmax)
                runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
                print(f"all triples to degree {lmax:3}, cold, {module:12} {min(runs):8.3f} s")
    triples = [(a, b, c) for a in range(21) for b in range(a, 21) for c in range(b, min(a + b, 20) + 1)]
    worst = np.max([errors(*triple) for triple in triples], axis=0)
    print(f"degrees <= 20 ({len(triples)} triples): orthogonality {worst[0]:.1e}, intertwining {worst[1]:.1e}")
    for triple in ((40, 40, 40), (60, 30, 50)):
        print(f"{triple}: orthogonality {errors(*triple)[0]:.1e}, intertwining {errors(*triple)[1]:.1e}")
    _, values = clebsch_gordan_sparse(40, 40, 40)
    print(f"(40, 40, 40) has {len(values)} nonzeros of {81**3}; norm - 1 = {np.sum(values**2) - 1:.1e}")


if __name__ == "__main__":
    main()
