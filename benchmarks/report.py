"""What was found: a table for people, JSON for programs."""

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


def row_of(name: str, cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"  {name:32}" + "".join(f"{cell:>9}" for cell in cells)


def environment() -> dict[str, Any]:
    """Where and when: platform, devices, versions, date."""
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


def measure(comparisons: Iterable[Comparison], turns: int | None = None) -> dict[str, Any]:
    """Measure and print; what goes to JSON is returned.

    Args:
        comparisons: what to measure.
        turns: how many; by default 15 on a CPU and 50 on a GPU.
    """
    # On a GPU the default for float32 would be TF32 for some and not for others.
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_enable_compilation_cache", False)
    on_cpu = jax.default_backend() == "cpu"
    turns = turns or (15 if on_cpu else 50)
    bandwidth = copy_bandwidth(256 if on_cpu else 1024)
    where = environment()
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    print(f"{versions}\n{where['device_kind']}, {where['cores']} cores; float32; {turns} turns")
    print(f"a plain copy reads and writes {bandwidth / 1e9:.1f} GB/s")
    print(row_of("", COLUMNS), row_of("", UNITS), sep="\n", flush=True)
    rows = []
    for comparison in comparisons:
        print(f"{comparison.workload}/{comparison.task}", flush=True)
        new = records(comparison, run(comparison, turns), bandwidth)
        print("\n".join(map(line, new)), flush=True)
        rows += new
    return {**where, "turns": turns, "copy_bytes_per_second": bandwidth, "measurements": rows}


def records(comparison: Comparison, found: list[Measurement], bandwidth: float) -> list[dict[str, Any]]:
    """For each candidate what goes to JSON; times in seconds, sizes in bytes."""
    floors = [m.compiled.floor_bytes for m in found if m.compiled.floor_bytes is not None]
    floor = min(floors) if floors else None
    medians = {m.library: statistics.median(m.seconds) for m in found}
    rows = []
    for m in found:
        rows.append(
            {
                "workload": comparison.workload,
                "task": comparison.task,
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
        )
    return rows


def spread(seconds: Sequence[float]) -> float:
    """Half the distance between the quartiles, relative to the median."""
    if len(seconds) < 2:
        return 0.0
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return (high - low) / 2 / median


def line(row: dict[str, Any]) -> str:
    """What the table says of a record."""
    own = row["library"] == row["reference"]
    faster = "" if own else f"{row['times_faster_than'][row['reference']]:.2f}"
    error = "" if own or row["relative_error"] is None else f"{row['relative_error']:.0e}"
    memory = "" if row["temporary_bytes"] is None else f"{row['temporary_bytes'] / 1e6:.1f}"
    floor = "" if row["floor"] is None else f"{1e3 * row['floor']:.3g}"
    fraction = "" if row["floor"] is None else f"{100 * row['fraction_of_floor']:.1f}"
    others = [times for library, times in row["times_faster_than"].items() if library != row["library"]]
    best = f"{min(others):.2f}" if others else ""
    cells = [f"{1e3 * row['min']:.3f}", f"{1e3 * row['median']:.3f}", f"{100 * row['spread']:.0f}", faster, best]
    return row_of(row["library"], [*cells, f"{row['trace'] + row['compile']:.2f}", memory, floor, fraction, error])


def disagreements(rows: list[dict[str, Any]]) -> list[str]:
    """Who is farther from the reference than allowed."""
    return [
        f"{row['workload']}/{row['task']}: {row['library']} differs from {row['reference']} by "
        f"{row['relative_error']:.1e}, more than {row['tolerance']:.0e}"
        for row in rows
        if row["tolerance"] is not None and not row["relative_error"] <= row["tolerance"]
    ]
