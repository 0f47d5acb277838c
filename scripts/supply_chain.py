"""List what the packages require, from uv.lock: a bill of materials for each, and the licences.

    uv run python scripts/supply_chain.py licences           print the licence of each requirement; fail on a new one
    uv run python scripts/supply_chain.py sbom --out-dir D   write NAME-VERSION.cdx.json, CycloneDX, for each package

Requirements are those of the packages and of their extras, direct and indirect, for every Python and platform that the
lock covers; tools and examples are not among them. uv reads the lock; licences come from the metadata of what is
installed. The files depend on the lock and on these licences alone, so two runs write the same bytes.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# SPDX identifiers. They ask for no more than to keep notices, and MPL-2.0 (hypothesis, of an extra) that changes to its
# own files stay open.
ALLOWED = frozenset({"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "LLVM-exception"})
ALLOWED |= {"MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"}
# Packages that are not installed everywhere, with the licences that they state.
ELSEWHERE = {"colorama": "BSD-3-Clause", "nest-asyncio": "BSD-2-Clause", "uvloop": "MIT"}
# Older metadata state no SPDX expression. A classifier says less, so it comes last.
_NAMES = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "mit license": "MIT",
}
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def requirements(package: str, root: Path = ROOT) -> dict[str, Any]:
    """Return the bill of materials of a package as uv makes it, CycloneDX 1.5.

    Raises:
        RuntimeError: uv fails, for example because uv.lock is not up to date.
    """
    # `uv run` names itself in UV, which need not be on the path.
    command = [os.environ.get("UV", "uv"), "export", "--quiet", "--locked", "--format", "cyclonedx1.5"]
    command += ["--preview-features", "sbom-export", "--no-default-groups", "--all-extras", "--package", package]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def licence(name: str) -> str | None:
    """Return the licence that an installed package states, as an SPDX expression; None if it states none."""
    try:
        stated = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ELSEWHERE.get(name)
    if expression := stated.get("License-Expression"):
        return expression
    text = (stated.get("License") or "").strip()
    if re.fullmatch(r"[\w.-]+( (AND|OR|WITH) [\w.-]+)*", text):  # an expression, before there was a field for it
        return _NAMES.get(text.lower(), text)
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    classifiers = [c.rpartition(" :: ")[2] for c in stated.get_all("Classifier", []) if c.startswith("License ::")]
    known = [_CLASSIFIERS[c] for c in classifiers if c in _CLASSIFIERS]
    return " OR ".join(sorted(known)) or None


def is_allowed(expression: str | None) -> bool:
    """Tell whether one of the alternatives of an SPDX expression is allowed; one with parentheses is for people."""
    return expression is not None and any(
        all(identifier in ALLOWED for identifier in re.split(r" AND | WITH ", alternative))
        for alternative in expression.split(" OR ")
    )


def bill_of_materials(package: str, files: Sequence[Path] = (), root: Path = ROOT) -> dict[str, Any]:
    """Return the bill of materials of a package: the same whenever and wherever it is made.

    Args:
        package: its name.
        files: its wheel and source distribution, whose hashes are recorded.
        root: the workspace.
    """
    bill = requirements(package, root)
    own = bill["metadata"]["component"]
    for component in (own, *bill["components"]):
        if (expression := licence(component["name"])) is not None:
            component["licenses"] = [{"expression": expression}]
    own["externalReferences"] = [
        {
            "type": "distribution",
            "url": path.name,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        }
        for path in files
    ]
    del bill["metadata"]["timestamp"]
    del bill["serialNumber"]
    content = json.dumps(bill, sort_keys=True)
    return {**bill, "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, content).urn}


def write_bill_of_materials(package: str, version: str, out: Path, files: Sequence[Path] = ()) -> Path:
    """Write the bill of materials of a package into a folder, and return its path."""
    from irreps_ops.checkpoint import write_file  # imports JAX, which checking does not need

    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{package}-{version}.cdx.json"
    write_file(path, json.dumps(bill_of_materials(package, files), indent=1) + "\n")
    return path


def packages(root: Path = ROOT) -> list[str]:
    """Return the names of the packages."""
    return sorted(path.parent.name for path in root.glob("packages/*/pyproject.toml"))


def licences(root: Path = ROOT) -> Iterator[tuple[str, str | None]]:
    """Yield each package that ours require, and its licence."""
    names = {component["name"] for package in packages(root) for component in requirements(package, root)["components"]}
    for name in sorted(names):
        yield name, licence(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="supply_chain.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("licences", help="print and check the licences")
    command = commands.add_parser("sbom", help="write a bill of materials for each package")
    command.add_argument("--out-dir", type=Path, default=ROOT / "dist", help="default: dist/ in the repository")
    options = parser.parse_args(arguments)
    if options.command == "sbom":
        for package in packages():
            print(write_bill_of_materials(package, metadata.version(package), options.out_dir))
        return 0
    found = list(licences())
    for name, expression in found:
        print(f"{name:24} {expression or '?'}{'' if is_allowed(expression) else '   NOT ALLOWED'}")
    return int(not all(is_allowed(expression) for _, expression in found))


if __name__ == "__main__":
    sys.exit(main())
