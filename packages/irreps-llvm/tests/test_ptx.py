"""The PTX of the benchmarks' kernels goes through NVIDIA's assembler, which needs no memory for registers.

The assembler comes with the dependency group ``ptx``; without it the tests are skipped.
"""

import functools
import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import irreps_ops as irr
from irreps_core import clebsch_gordan
from irreps_llvm._gpu_executor import device_code_of
from irreps_llvm.runtime import device_code
from irreps_ops.compute import Access, Coefficients, Contraction, Index, Operand, Polynomial, use_executor
from irreps_ops.compute import Path as Term

ARCHITECTURES = ("sm_80", "sm_90")


@functools.cache
def assembler() -> str | None:
    """The path of ptxas: of a package from PyPI, or of an installed CUDA toolkit."""
    for name in ("nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvcc"):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name in ("ptxas", "ptxas.exe"):
                return str(file.locate())
    return shutil.which("ptxas")


needs_assembler = pytest.mark.skipif(
    assembler() is None, reason="needs NVIDIA's assembler ptxas: uv run --group ptx pytest packages/irreps-llvm"
)


def vjp(polynomial: Polynomial, names: str = "") -> Polynomial:
    """The polynomial of the gradients with respect to the inputs whose names begin with these letters, or all."""
    active = tuple(not names or o.name[0] in names for o in polynomial.inputs)
    derivative = polynomial.derivative(active)
    return derivative.transpose((False,) * len(active) + (True,) * sum(active))


def convolution(channels: int, hidden: int, degrees: tuple[int, int, int]) -> Polynomial:
    """h V x Y -> out: hidden activations of edges, their last matrix, features of senders, harmonics, receivers."""
    features, harmonics, out = (range(degree + 1) for degree in degrees)
    couplings = [
        (l1, l2, l3)
        for l3 in out
        for l1 in features
        for l2 in harmonics
        if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0
    ]
    inputs = [Operand(1, (hidden,), name="h")]
    inputs += [Operand(2 * l + 1, (channels,), Index("senders"), f"x{l}", components_last=True) for l in features]
    inputs += [Operand(2 * l + 1, (), name=f"y{l}") for l in harmonics]
    first = len(inputs)
    inputs += [Operand(1, (hidden, channels), Access.BROADCAST, f"V{n}") for n in range(len(couplings))]
    outputs, terms = [], []
    for n, (l1, l2, l3) in enumerate(couplings):
        outputs.append(Operand(2 * l3 + 1, (channels,), Index("receivers"), f"out{n}", components_last=True))
        read = (0, 1 + l1, 1 + len(features) + l2, first + n)
        coefficients = Coefficients.from_dense(clebsch_gordan(l1, l2, l3)[None, :, :, None, :])
        terms.append(Term(read, n, ("b", "a", "", "ba", "a"), coefficients))
    return Polynomial(tuple(inputs), tuple(outputs), tuple(terms))


class Recorder:
    """An executor that notes the polynomials it is given."""

    name, irreps_api = "recorder", 1

    def __init__(self) -> None:
        self.found: list[Polynomial] = []

    def why_not(self, contraction: Contraction) -> str | None:
        return None

    def cost(self, contraction: Contraction) -> float:
        return 1.0

    def run(self, contraction: Contraction, inputs: Sequence[Any], indices: Any) -> list[jax.Array]:
        self.found.append(contraction.polynomial)
        return [jnp.zeros(t.shape, t.dtype) for t in contraction.output_types()]


def recorded(function: Callable[..., Any], *shapes: Any) -> list[Polynomial]:
    """The polynomials of a function and of its gradients, each once."""
    recorder, arrays = (
        Recorder(),
        jax.tree.map(lambda s: jax.ShapeDtypeStruct(s, jnp.float32), shapes, is_leaf=_is_shape),
    )

    def gradients(*args: Any) -> Any:
        return jax.grad(lambda *a: jnp.sum(jnp.sin(function(*a))), tuple(range(len(args))))(*args)

    jax.jit(use_executor(gradients, recorder)).lower(*arrays)
    return list(dict.fromkeys(recorder.found))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(n, int) for n in value)


def symmetric_contraction() -> list[Polynomial]:
    irreps, contraction = (
        "0e + 1o + 2e + 3o",
        irr.FunctionalSymmetricContraction("0e + 1o + 2e + 3o", (1, 2, 3), "0e + 1o"),
    )
    weights = {path.name: (path.multiplicity, 128) for path in contraction.weights}
    return recorded(lambda w, x: contraction(w, irr.IrrepsArray(irreps, x)).array, weights, (20, 128, 16))


def fully_connected() -> list[Polynomial]:
    irreps, other = irr.Irreps("32x0e + 32x1o"), irr.Irreps("0e + 1o")
    product = irr.FunctionalFullyConnectedTensorProduct(irreps, other, irreps)
    weights = [(32, 1, 32) for ir1 in irreps for ir2 in other for ir in irreps if ir.ir in ir1.ir * ir2.ir]
    return recorded(
        lambda w, x, y: product(w, irr.IrrepsArray(irreps, x), irr.IrrepsArray(other, y)).array,
        weights,
        (20, irreps.dim),
        (20, other.dim),
    )


def channelwise() -> list[Polynomial]:
    irreps, harmonics = irr.Irreps("64x0e + 64x1o"), irr.Irreps("0e + 1o + 2e")
    paths = [
        (i, j, ir) for i, (_, a) in enumerate(irreps) for j, (_, b) in enumerate(harmonics) for ir in a * b if ir.l < 2
    ]
    paths.sort(key=lambda path: path[2])
    instructions = [(i, j, k, "uvu", True) for k, (i, j, _) in enumerate(paths)]
    product = irr.FunctionalTensorProduct(irreps, harmonics, irr.Irreps([(64, ir) for *_, ir in paths]), instructions)
    return recorded(
        lambda w, x, y: product(w, irr.IrrepsArray(irreps, x), irr.IrrepsArray(harmonics, y)).array,
        (20, 64 * len(paths)),
        (20, irreps.dim),
        (20, harmonics.dim),
    )


KERNELS: dict[str, Callable[[], list[Polynomial]]] = {
    "convolution": lambda: [convolution(64, 64, (2, 3, 2))],
    # Of fewer degrees, for the sake of time.
    "its gradients": lambda: [vjp(convolution(64, 64, (2, 1, 2)))],
    "its double backward": lambda: [vjp(vjp(convolution(64, 64, (1, 1, 1)), "hxy"))],
    "symmetric contraction": symmetric_contraction,
    "fully connected product": fully_connected,
    "channelwise product": channelwise,
}


@needs_assembler
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_assemble_and_keep_everything_in_registers(name: str, tmp_path: Path) -> None:
    for n, polynomial in enumerate(KERNELS[name]()):
        file = tmp_path / f"{n}.ptx"
        file.write_text(device_code(device_code_of(polynomial, "float32").kernel))
        for architecture in ARCHITECTURES:
            command = [assembler() or "", f"-arch={architecture}", "-v", str(file), "-o", str(tmp_path / "code")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            memory = re.findall(
                r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", done.stderr
            )
            assert memory, done.stderr
            assert all(number == "0" for numbers in memory for number in numbers), done.stderr
