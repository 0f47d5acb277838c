#!/usr/bin/env bash
# The tests of the packages under the oldest dependencies that they declare, under other Pythons, beside other software
# with which they compare (e3nn-jax, ...), and on wheels alone.
#   tests/environments.sh            all of them
#   tests/environments.sh oldest     one of them: oldest, 3.12, 3.13, peers, wheels
#   tests/environments.sh gpu        the tests that need an NVIDIA GPU; only where asked for
set -euo pipefail
cd "$(dirname "$0")/.."
packages=(-e packages/irreps-core -e packages/irreps-ops -e packages/irreps-haiku -e packages/irreps-flax -e packages/irreps-compat -e packages/irreps-llvm)
tests=(packages tests/test_bindings.py tests/test_imports.py)
requirement="import jax" # A program that must succeed before the tests start.

run() { # name, Python, options of the installation
    local place python
    place=$(mktemp -d) python=$2
    uv venv --quiet --python "$python" "$place/venv"
    # The tools are not ours to bound: they come first, at their newest.
    uv pip install --quiet --python "$place/venv" --group test
    uv pip install --quiet --python "$place/venv" "${@:3}" "${packages[@]}"
    echo "== $1"
    uv pip list --python "$place/venv" 2>/dev/null | grep -E "^(jax|jaxlib|numpy|flax|dm-haiku|llvmlite|optax) " || true
    "$place/venv/bin/python" -c "$requirement"
    "$place/venv/bin/python" -m pytest "${tests[@]}"
    rm -rf "$place"
}

for name in "${@:-oldest 3.12 3.13 peers wheels}"; do
    for one in $name; do
        case $one in
        oldest) run "oldest dependencies" 3.11 --resolution lowest-direct ;;
        gpu)
            tests=(-m gpu -n 1 packages tests/test_gpu.py)
            requirement="import jax; jax.devices('gpu')" # Otherwise every test is skipped, and the run passes.
            run "NVIDIA GPU" 3.12 "jax[cuda12]"
            ;;
        peers) (
            mapfile -t files < <(grep -rlE "importorskip\(.(e3nn_jax|e3x|sphericart|cuequivariance)" --include="test_*.py" packages tests)
            tests=(-k "e3nn or e3x or sphericart or cuequivariance" "${files[@]}")
            packages+=(-e examples/irreps-equinox)
            # Otherwise these tests are skipped, and the run passes.
            requirement="import cuequivariance_jax, e3nn_jax, e3x, sphericart.jax"
            run "other software" 3.11 --group peers
        ) ;;
        wheels) IRREPS_EVERY_CASE=1 uv run pytest --timeout=0 tests/test_packages.py ;;
        *) run "Python $one" "$one" ;;
        esac
    done
done
