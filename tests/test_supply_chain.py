"""What the packages require: nothing with a licence that is not allowed, and all of it in the bills of materials."""

import email.message
import os
import runpy
import shutil
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent


supply_chain = SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "supply_chain.py")))
HAS_UV = bool(os.environ.get("UV") or shutil.which("uv"))
with_uv = pytest.mark.skipif(not HAS_UV, reason="uv, which reads the lock, is absent")
BSD = "License :: OSI Approved :: BSD License"


@with_uv
def test_licences_of_all_requirements_are_allowed() -> None:
    found = dict(supply_chain.licences())
    assert {name: text for name, text in found.items() if not supply_chain.is_allowed(text)} == {}
    direct = {"numpy", "jax", "jaxlib", "flax", "dm-haiku", "llvmlite", "safetensors", "vesin", "hypothesis"}
    assert direct < set(found)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 WITH Unknown-exception", False),
        ("(MIT OR BSD-3-Clause) AND GPL-3.0-only", False),
        ("", False),
        (None, False),
    ],
)
def test_allowed_licences(expression: str | None, allowed: bool) -> None:
    assert supply_chain.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License-Expression": "MIT AND Zlib", "License": "GPL"}, "MIT AND Zlib"),
        ({"License": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"License": "3-Clause BSD License", "Classifier": "License :: OSI Approved :: MIT License"}, "BSD-3-Clause"),
        ({"License": "A text of a licence\n\nof a page", "Classifier": BSD}, "BSD-3-Clause"),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, None),
        ({"Classifier": "Topic :: Software Development"}, None),
        ({"License": "UNKNOWN"}, "UNKNOWN"),
    ],
)
def test_licence_of_metadata(monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], expected: str | None) -> None:
    message = email.message.Message()
    for name, value in fields.items():
        message[name] = value
    monkeypatch.setattr(metadata, "metadata", lambda _: message)
    assert supply_chain.licence("any") == expected


@with_uv
def test_bill_of_materials(tmp_path: Path) -> None:
    """It lists what the package requires, with hashes and licences, and is the same each time."""
    wheel = tmp_path / "irreps_haiku-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"abc")
    path = supply_chain.write_bill_of_materials("irreps-haiku", "0.1.0", tmp_path, [wheel])
    bill = supply_chain.bill_of_materials("irreps-haiku", [wheel])
    assert path.name == "irreps-haiku-0.1.0.cdx.json"
    assert supply_chain.json.loads(path.read_text()) == bill
    assert "timestamp" not in bill["metadata"]
    (built,) = bill["metadata"]["component"]["externalReferences"]
    # FIPS 180-2, appendix B.1
    assert built["hashes"][0]["content"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    reference = {component["bom-ref"]: component for component in bill["components"]}
    requires = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    own = requires[bill["metadata"]["component"]["bom-ref"]]
    project = tomllib.loads((ROOT / "packages/irreps-haiku/pyproject.toml").read_text())["project"]
    assert {reference[x]["name"] for x in own} == {x.partition(">")[0] for x in project["dependencies"]}
    lock = {(x["name"], x["version"]): x for x in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    for component in bill["components"]:
        locked = lock[component["name"], component["version"]]
        assert component["licenses"][0]["expression"]
        if "wheels" in locked:
            stated = {r["hashes"][0]["content"] for r in component["externalReferences"]}
            assert stated >= {w["hash"].removeprefix("sha256:") for w in locked["wheels"]}
    assert {"numpy", "jax", "jaxlib", "dm-haiku", "irreps-ops", "irreps-core"} <= {
        x["name"] for x in reference.values()
    }
