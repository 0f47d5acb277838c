#!/usr/bin/env bash
# The tests of the packages under the oldest and the newest dependencies that pip resolves, under each Python, beside
# other software with which they compare (e3nn-jax, ...), on wheels alone, and with the weights of a public model.
#   tests/environments.sh            all of them; skips a Python that is neither here nor can be downloaded, and says so
#   tests/environments.sh oldest     one of them: oldest, 3.11, 3.12, 3.13, 3.14, peers, wheels, weights
#   tests/environments.sh quick      a part of oldest that takes less than a minute
#   tests/environments.sh gpu        the tests that need an NVIDIA GPU; only where asked for
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/find_pythons.sh
packages=(-e packages/irreps-core -e "packages/irreps-ops[neighbours]" -e packages/irreps-haiku -e packages/irreps-flax -e packages/irreps-compat -e packages/irreps-llvm)
tests=(packages tests/test_bindings.py tests/test_imports.py)
requirement="import jax" # A program that must succeed before the tests start.
skipped=()

run() { # name, Python, options of the installation
    local place python
    place=$(mktemp -d) python=$2
    if ! uv venv --quiet --python "$python" "$place/venv"; then
        [ -n "$all" ] || exit 1
        skipped+=("$1")
        return 0
    fi
    # The tools are not ours to bound: they come first, at their newest.
    uv pip install --quiet --python "$place/venv" --group test
    # Those that the tools need, too, are chosen anew.
    uv pip install --quiet --upgrade --python "$place/venv" "${@:3}" "${packages[@]}"
    echo "== $1"
    uv pip list --python "$place/venv" 2>/dev/null | grep -E "^(jax|jaxlib|numpy|flax|dm-haiku|llvmlite|optax) " || true
    "$place/venv/bin/python" -c "$requirement"
    "$place/venv/bin/python" -m pytest "${tests[@]}"
    rm -rf "$place"
}

all=""
[ $# -gt 0 ] || all=yes
for name in "${@:-oldest 3.11 3.12 3.13 3.14 peers wheels weights}"; do
    for one in $name; do
        case $one in
        oldest) run "oldest dependencies" 3.11 --resolution lowest-direct ;;
        quick) (
            # What depends most on JAX and the frameworks: the primitive, handlers called by XLA, and the modules.
            tests=(-m "not slow" packages/irreps-ops/tests/compute/test_primitive.py packages/irreps-llvm/tests/test_handler.py
                packages/irreps-flax/tests/test_nnx.py packages/irreps-haiku/tests)
            run "oldest dependencies, quick tests" 3.11 --resolution lowest-direct
        ) ;;
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
        weights)
            uv run --isolated --locked --group pretrained \
                pytest --timeout=0 examples/force-field/tests/test_pretrained.py "tests/test_tutorials.py::test_tutorial[foundation-model]"
            ;;
        wheels) IRREPS_EVERY_CASE=1 uv run pytest --timeout=0 tests/test_packages.py ;;
        *) run "newest dependencies, Python $one" "$one" ;;
        esac
    done
done
for name in "${skipped[@]}"; do echo "not run, because uv cannot find this Python: $name"; done
