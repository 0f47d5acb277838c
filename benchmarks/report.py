"""Reports of measurements: a printed table, and records for JSON."""

import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import jax
from side_by_side import Comparison, Measurement, copy_bandwidth, reference, run

PACKAGES = [
    "jax",
    "jaxlib",
    "numpy",
    "irreps-core",
    "irreps-ops",
    "e3nn-jax",
    "cuequivariance-jax",
    "cuequivariance-ops-jax-cu12",
    "cuequivariance-ops-jax-cu13",
    "sphericart-jax",
    "e3x",
]
COLUMNS = ["min", "median", "spread", "faster", "best", "compile", "memory", "floor", "floor", "error"]
UNITS = ["ms", "ms", "%", "times", "times", "s", "MB", "ms", "%", ""]


def table_line(name: str, cells: Sequence[str]) -> str:
    """Return a line of the table."""
    return f"  {name:32}" + "".join(f"{cell:>9}" for cell in cells)


def environment() -> dict[str, Any]:
    """Return platform, devices, versions and date."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    device = jax.devices()[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "platform": device.platform,
        "device_kind": device.device_kind,
        "devices": jax.device_count(),
        "cpu": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
    }


def run_all(comparisons: Iterable[Comparison], turns: int | None = None) -> dict[str, Any]:
    """Measure comparisons and print the table.

    Args:
        comparisons: the comparisons, in the order of the table.
        turns: turns of each candidate (default: 15 on a CPU, 50 on a GPU).

    Returns:
        The environment and one record for each candidate, as :func:`records` makes them; everything fits into JSON.
    """
    # On a GPU some libraries would use TF32 for float32 by default, and others not.
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_enable_compilation_cache", False)
    on_cpu = jax.default_backend() == "cpu"
    turns = turns or (15 if on_cpu else 50)
    bandwidth = copy_bandwidth(256 if on_cpu else 1024)
    where = environment()
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    print(f"{versions}\n{where['device_kind']}, {where['cores']} cores; float32; {turns} turns")
    print(f"a plain copy reads and writes {bandwidth / 1e9:.1f} GB/s")
    print(table_line("", COLUMNS), table_line("", UNITS), sep="\n", flush=True)
    found = []
    for comparison in comparisons:
        print(f"{comparison.workload}/{comparison.measure}", flush=True)
        new = records(comparison, run(comparison, turns), bandwidth)
        print("\n".join(map(line, new)), flush=True)
        found += new
    return {**where, "turns": turns, "copy_bytes_per_second": bandwidth, "measurements": found}


def records(comparison: Comparison, found: list[Measurement], bandwidth: float) -> list[dict[str, Any]]:
    """Return a record for each candidate of a comparison; times in seconds, sizes in bytes.

    Args:
        comparison: the comparison.
        found: its measurements.
        bandwidth: of a plain copy, bytes per second.
    """
    floors = [m.compiled.floor_bytes for m in found if m.compiled.floor_bytes is not None]
    floor = min(floors) if floors else None
    medians = {m.library: statistics.median(m.seconds) for m in found}
    return [
        {
            "workload": comparison.workload,
            "measure": comparison.measure,
            "library": m.library,
            "sizes": dict(comparison.sizes),
            "turns": len(m.seconds),
            "min": min(m.seconds),
            "median": medians[m.library],
            "spread": spread(m.seconds),
            "times_faster_than": {other: medians[other] / medians[m.library] for other in medians},
            "reference": reference(comparison),
            "trace": m.compiled.trace_seconds,
            "compile": m.compiled.compile_seconds,
            "temporary_bytes": m.compiled.temporary_bytes,
            "floor_bytes": floor,
            "floor": None if floor is None else floor / bandwidth,
            "fraction_of_floor": None if floor is None else floor / bandwidth / medians[m.library],
            "relative_error": m.error,
            "tolerance": comparison.tolerance,
        }
        for m in found
    ]


def spread(seconds: Sequence[float]) -> float:
    """Return half the distance between the quartiles, relative to the median."""
    if len(seconds) < 2:
        return 0.0
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return (high - low) / 2 / median


def line(record: dict[str, Any]) -> str:
    """Return the line of the table for a record."""
    own = record["library"] == record["reference"]
    faster = "" if own else f"{record['times_faster_than'][record['reference']]:.2f}"
    error = "" if own or record["relative_error"] is None else f"{record['relative_error']:.0e}"
    memory = "" if record["temporary_bytes"] is None else f"{record['temporary_bytes'] / 1e6:.1f}"
    floor = "" if record["floor"] is None else f"{1e3 * record['floor']:.3g}"
    fraction = "" if record["floor"] is None else f"{100 * record['fraction_of_floor']:.1f}"
    others = [times for library, times in record["times_faster_than"].items() if library != record["library"]]
    best = f"{min(others):.2f}" if others else ""
    cells = [
        f"{1e3 * record['min']:.3f}",
        f"{1e3 * record['median']:.3f}",
        f"{100 * record['spread']:.0f}",
        faster,
        best,
    ]
    return table_line(
        record["library"], [*cells, f"{record['trace'] + record['compile']:.2f}", memory, floor, fraction, error]
    )


def disagreements(records: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each candidate that differs from the reference by more than the tolerance."""
    return [
        f"{record['workload']}/{record['measure']}: {record['library']} differs from {record['reference']} by "
        f"{record['relative_error']:.1e}, more than {record['tolerance']:.0e}"
        for record in records
        if record["tolerance"] is not None and not record["relative_error"] <= record["tolerance"]
    ]
