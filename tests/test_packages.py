"""Each package by itself: its wheel, in an empty environment with what it declares, passes its own tests.

Needs uv and a package registry (or uv's cache of one).
"""

import ast
import email
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = shutil.which("uv")
# What a package must not need. Its own tests run without it; a test that wants more skips itself.
PACKAGES = ("irreps-core", "irreps-ops", "irreps-haiku", "irreps-flax", "irreps-compat", "irreps-llvm")
PLUGINS = ("irreps-equinox", "irreps-layer-plugin")
REQUIRES = {
    "irreps-core": {"numpy>=2.0"},
    "irreps-ops": {"irreps-core[jax]<0.2,>=0.1", "jax>=0.8", "numpy>=2.0"},
    "irreps-haiku": {"dm-haiku>=0.0.15", "irreps-ops<0.2,>=0.1"},
    "irreps-flax": {"flax>=0.12.0", "irreps-ops<0.2,>=0.1"},
    "irreps-compat": {"irreps-core[jax]<0.2,>=0.1", "irreps-ops<0.2,>=0.1", "jax>=0.8", "numpy>=2.0"},
    "irreps-llvm": {"irreps-ops<0.2,>=0.1", "llvmlite>=0.45"},
}
MUST_NOT_IMPORT = {
    "irreps-core": {"jax", "scipy", "haiku", "flax", "irreps_ops", "irreps_haiku", "irreps_flax"},
    "irreps-ops": {"haiku", "flax", "irreps_haiku", "irreps_flax"},
    "irreps-haiku": {"flax", "irreps_flax"},
    "irreps-flax": {"haiku", "irreps_haiku"},
    "irreps-compat": {"haiku", "flax", "equinox", "torch", "irreps_haiku", "irreps_flax"},
    "irreps-llvm": {"haiku", "flax", "equinox", "irreps_haiku", "irreps_flax", "irreps_compat"},
}
# Bytes of a wheel: code and text, no data that slipped in.
LARGEST = {
    "irreps-core": 200_000,
    "irreps-ops": 400_000,
    "irreps-haiku": 50_000,
    "irreps-flax": 50_000,
    "irreps-compat": 100_000,
    "irreps-llvm": 150_000,
}
# Without NumPy and JAX. flatbuffers: what jax.export writes its files with; JAX does not install it.
TEST_REQUIREMENTS = ("pytest", "hypothesis", "mpmath", "sympy", "flatbuffers")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(UV is None, reason="builds and installs wheels with uv, which is not on the path"),
]


def run(*command: str | Path, cwd: Path, timeout: float = 2400, beside: Path | None = None) -> str:
    """Run a command outside the workspace's own environment, with a folder of packages beside; fail with its output."""
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "COVERAGE_PROCESS_START")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment.setdefault("JAX_PLATFORMS", "cpu")
    # What a package's own tests compile, they compile here, too.
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
    if beside is not None:
        environment["PYTHONPATH"] = str(beside)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the packages, and of the examples that are plugins."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in (*PACKAGES, *PLUGINS):
        run(UV or "uv", "build", "--wheel", "--package", package, "--out-dir", folder, cwd=ROOT)
    return folder


def wheel_of(package: str, wheels: Path) -> Path:
    (wheel,) = wheels.glob(f"{package.replace('-', '_')}-*.whl")
    return wheel


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel(package: str, wheels: Path) -> None:
    """Small, typed, with its licence, and requiring what the table of the architecture says."""
    wheel = wheel_of(package, wheels)
    assert wheel.stat().st_size < LARGEST[package]
    names = zipfile.ZipFile(wheel).namelist()
    module = package.replace("-", "_")
    assert f"{module}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {module, wheel.name.split("-py3")[0] + ".dist-info"}
    entry_points = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    assert all("pytest11" not in zipfile.ZipFile(wheel).read(name).decode() for name in entry_points)
    metadata = metadata_of(wheel)
    required = {line.replace(" ", "") for line in metadata.get_all("Requires-Dist", []) if "extra==" not in line}
    required = {line for line in required if "extra" not in line}
    assert {_sorted_bounds(line) for line in required} == {_sorted_bounds(line) for line in REQUIRES[package]}
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert len(metadata.get_payload()) > 500, "the README is the description"


def _sorted_bounds(requirement: str) -> str:
    first, *rest = requirement.split(",")
    at = min(i for i in (first.find("<"), first.find(">"), first.find("=")) if i >= 0)
    return first[:at] + ",".join(sorted([first[at:], *rest]))


@pytest.fixture(scope="session")
def environments(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each package an environment with nothing but its wheel and what that requires; one with both plugins."""
    made: dict[str, Path] = {}
    for package in (*PACKAGES, PLUGINS[0]):
        folder = tmp_path_factory.mktemp(f"only-{package}")
        python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if "irreps-ops" in made:  # which all others require; with the bytecode of JAX, which takes long to compile
            shutil.copytree(made["irreps-ops"].parent.parent, folder / "venv", symlinks=True, copy_function=os.link)
        else:
            run(UV or "uv", "venv", "--python", sys.executable, folder / "venv", cwd=folder)
        run(
            UV or "uv", "pip", "install", "--python", python, "--find-links", wheels,
            # uv would take wheels of the same version that it has seen before.
            *(word for each in (*PACKAGES, *PLUGINS) for word in ("--refresh-package", each)),
            *(wheel_of(each, wheels) for each in (PLUGINS if package in PLUGINS else [package])), cwd=folder,
        )  # fmt: skip
        run(python, "-c", f"import {PLUGINS[0] if package in PLUGINS else package}".replace("-", "_"), cwd=folder)
        made[package] = python
    return made


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what tests require beyond their package."""
    folder = tmp_path_factory.mktemp("tools")
    run(UV or "uv", "pip", "install", "--python", sys.executable, "--target", folder, *TEST_REQUIREMENTS, cwd=folder)
    return folder


@pytest.mark.parametrize("package", PACKAGES)
def test_import_brings_nothing_of_the_others(package: str, environments: dict[str, Path]) -> None:
    module = package.replace("-", "_")
    code = f"import sys, {module}; print(sorted({MUST_NOT_IMPORT[package]!r} & set(sys.modules)))"
    python = environments[package]
    assert run(python, "-c", code, cwd=python.parent).strip() == "[]"


def test_core_alone_brings_numpy_only(environments: dict[str, Path]) -> None:
    python = environments["irreps-core"]
    listed = run(UV or "uv", "pip", "list", "--python", python, "--format", "freeze", cwd=python.parent)
    assert {line.split("==")[0] for line in listed.split()} == {"irreps-core", "numpy"}


def test_core_imports_fast(environments: dict[str, Path]) -> None:
    """`import irreps_core` loads few modules beyond NumPy (a count, because a time would depend on the machine)."""
    code = "import sys, numpy; a = set(sys.modules); import irreps_core; print(sorted(set(sys.modules) - a))"
    python = environments["irreps-core"]
    loaded = ast.literal_eval(run(python, "-c", code, cwd=python.parent))
    others = [name for name in loaded if not name.startswith("irreps_core")]
    assert len(others) < 30, others


# In each environment: the plugins that are listed, the frameworks that a program imports, and the program.
MODULES = """
import jax, irreps_core as ic, irreps_ops as irr
jax.config.update("jax_disable_most_optimizations", True)  # what is compiled runs once
x, layer = ic.ones("2x0e + 1o", (3,)), irr.Linear("0e + 1o")
parameters = irr.init(layer, jax.random.key(0), x)
for name in {names}:
    binding = irr.bindings.binding(name)
    made = binding.from_trees(binding.init(layer, jax.random.key(1), "2x0e + 1o"), parameters)
    assert (binding.apply(layer, made, x)[0].array == irr.apply(layer, parameters, x).array).all()
assert "Linear" in irr.bindings.layers() and "xla" in irr.executors()
"""
MATHEMATICS = "import irreps_core as ic; assert ic.clebsch_gordan(1, 1, 2).shape == (3, 3, 5)"
LAYER = """
layer = irr.bindings.layer("FeedForward")("4x0e + 2x1o")
binding = irr.bindings.binding("equinox")
out, _ = binding.apply(layer, binding.init(layer, jax.random.key(0), "2x0e + 1o"), x)
assert out.irreps == "2x0e + 1o" and binding.module(type(layer)).__name__ == "FeedForward"
"""
ENVIRONMENTS = {
    "irreps-core": ([], set(), MATHEMATICS),
    "irreps-ops": ([], set(), MODULES.format(names=[])),
    "irreps-haiku": (["haiku"], {"haiku"}, MODULES.format(names=["haiku"])),
    "irreps-flax": (["linen", "nnx"], {"flax"}, MODULES.format(names=["linen", "nnx"])),
    "irreps-llvm": (["llvm"], set(), MODULES.format(names=[]) + 'assert "llvm" in irr.executors()'),
    "irreps-equinox": (["equinox", "FeedForward"], {"equinox"}, MODULES.format(names=["equinox"]) + LAYER),
}
FRAMEWORKS = {"haiku", "flax", "equinox"}


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a distribution is installed whose every plugin is broken, in a way of its own."""
    folder = tmp_path_factory.mktemp("broken")
    info = "irreps_broken-0.1.dist-info"
    files = {
        "irreps_broken.py": "raise RuntimeError('broken as it is meant to be')\n",
        "irreps_broken_types.py": "three = 3\nclass executor:\n    irreps_api = 0\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: irreps-broken\nVersion: 0.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[irreps.bindings]\ntorch = irreps_broken:binding\n[irreps.layers]\n"
        "Wrong = irreps_broken_types:three\n[irreps.executors]\nold = irreps_broken_types:executor\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / "irreps_broken-0.1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    run(
        UV or "uv", "pip", "install", "--python", sys.executable, "--target", folder / "beside", "--no-deps",
        folder / "irreps_broken-0.1-py3-none-any.whl", cwd=folder,
    )  # fmt: skip
    return folder / "beside"


@pytest.mark.parametrize("package", ENVIRONMENTS)
def test_plugins_of_an_environment(package: str, environments: dict[str, Path], broken: Path) -> None:
    """They work, import no other framework, and are listed; a broken distribution beside changes none of that."""
    python, (plugins, frameworks, program) = environments[package], ENVIRONMENTS[package]
    report = f"""
import importlib.util, sys
print(sorted({FRAMEWORKS!r} & set(sys.modules)))
print([name for name in {sorted(FRAMEWORKS - frameworks)} if importlib.util.find_spec(name)])
from irreps_core.__main__ import main
raise SystemExit(main(["plugins"]))
"""
    for beside in (None, broken):
        out = run(python, "-c", f"{program}\n{report}", cwd=python.parent, beside=beside)
        imported, installed, _, *lines = out.splitlines()
        assert ast.literal_eval(imported) == sorted(frameworks)
        assert ast.literal_eval(installed) == []
        own = [line.split() for line in lines if "irreps-broken" not in line]
        assert [words[1] for words in own] == plugins
        assert all(words[-1] == "ready" for words in own), lines
        failed = {line.split()[1]: line for line in lines if "irreps-broken" in line}
        assert set(failed) == (set() if beside is None else {"torch", "Wrong", "old"})
        if beside is not None and package != "irreps-core":  # which does not know what is expected of them
            assert "RuntimeError('broken as it is meant to be')" in failed["torch"]
            assert "lacks the attribute" in failed["Wrong"]
            assert "failed" in failed["old"]


def test_the_plugin_of_an_environment_conforms(environments: dict[str, Path], tools: Path, tmp_path: Path) -> None:
    """The command of the documentation, as an author of a plugin runs it."""
    python = environments["irreps-equinox"]
    words = ("--binding", "equinox", "--layer", "FeedForward", "--layer", "Dropout")
    out = run(python, "-m", "irreps_ops.testing", *words, "-p", "no:cacheprovider", cwd=tmp_path, beside=tools)
    rows = [line.split() for line in out.splitlines() if line.startswith(("FeedForward", "Dropout"))]
    assert len(rows) == 4
    assert all(row[-4:] == ["10", "passed"] * 2 for row in rows)


@pytest.mark.parametrize("package", PACKAGES)
def test_own_tests_pass(package: str, environments: dict[str, Path], tools: Path, tmp_path: Path) -> None:
    """A package's tests, copied away from the workspace, against its wheel alone.

    What may be missing there, files and requirements, importing each file and the first case of each folder show;
    environments.sh runs all cases.
    """
    python = environments[package]
    shutil.copytree(ROOT / "packages" / package / "tests", tmp_path / "tests")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    options = ("--import-mode=importlib", "-q", "-ra", "-m", "not slow", "-p", "no:cacheprovider")
    if not os.environ.get("IRREPS_EVERY_CASE"):
        options += ("--first-cases",)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\nmarkers =\n{_markers()}")
    out = run(python, "-m", "pytest", *options, "tests", cwd=tmp_path, beside=tools)
    assert " passed" in out
    skipped = [line for line in out.splitlines() if line.startswith("SKIPPED")]
    allowed: Sequence[str] = ("could not import", "JAX", "GPU")
    assert all(any(reason in line for reason in allowed) for line in skipped), skipped


def _markers() -> str:
    import tomllib

    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return "".join(f"    {marker}\n" for marker in configuration["tool"]["pytest"]["ini_options"]["markers"])
