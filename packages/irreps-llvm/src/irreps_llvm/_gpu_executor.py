"""The part of the executor ``llvm`` for NVIDIA GPUs.

No kernel of it has run on a GPU yet. So it has to be asked for, by the environment variable ``IRREPS_LLVM_CUDA=1``,
and a kernel computes nothing for anybody on a device until it has proven itself there against the executor
``reference``.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import cached
from irreps_ops.compute import Contraction, Polynomial, evaluate

from .generator import Registers, Workspace, generate
from .generator._sizes import sizes_of
from .machine._llvm_text import counting_text
from .machine._ptx_text import block_threads, ptx_text
from .machine._threads import BlockMemory, for_threads
from .program import Program
from .runtime import DeviceKernel, device_target_name, driver, verdict

VARIABLE = "IRREPS_LLVM_CUDA"

# Threads of a block, at least a warp. A longer channel axis is several vectors.
_FEWEST_THREADS, _MOST_THREADS = 32, 128
# Numbers that a thread keeps at once. Chosen so that NVIDIA's assembler needs no memory for them.
_REGISTERS = 64
# Parameters of a kernel, of 8 bytes each, of which a launch takes 4 KiB.
_MOST_PARAMETERS = 500
# A trial has several chunks, the last block of which is short; each row occurs, and some are out of range.
_TRIAL_BATCH, _TRIAL_ROWS = 133, 7


class DeviceCode(NamedTuple):
    """A program for GPUs, the indices to sort by before, the arrays that it works in, and its kernels."""

    program: Program
    sorted: tuple[str, ...]
    work: tuple[Workspace | BlockMemory, ...]
    kernel: DeviceKernel


@cached(maxsize=256)
def device_code_of(polynomial: Polynomial, dtype: str) -> DeviceCode:
    """Return the kernels of a polynomial.

    Raises:
        ValueError: an element of the batch needs too much memory, or there are too many arrays.
    """
    longest = max((n for o in (*polynomial.inputs, *polynomial.outputs) for n in o.channels), default=1)
    threads = min(max(_FEWEST_THREADS, 1 << (longest - 1).bit_length()), _MOST_THREADS)
    itemsize = np.dtype(dtype).itemsize
    registers = Registers(threads * itemsize, _REGISTERS * 4 // itemsize, threads=True)
    generated = generate(polynomial, dtype, registers)
    blocks = for_threads(generated.program)
    program = blocks.program
    if (count := len(program.arguments) + len(program.results) + len(program.sizes)) > _MOST_PARAMETERS:
        raise ValueError(f"a kernel for GPUs has at most {_MOST_PARAMETERS} arrays, this one has {count}")
    kernel = DeviceKernel(
        counting_text(program),
        ptx_text(blocks),
        block_threads(blocks),
        len(program.arguments),
        len(program.results),
        tuple(sorted(program.sizes)),
    )
    return DeviceCode(program, generated.sorted, (*generated.workspaces, *blocks.memory), kernel)


def devices() -> list[Any]:
    """Return the GPUs of this process.

    Raises:
        RuntimeError: JAX knows of none.
    """
    return jax.local_devices(backend="cuda")


def why_not(contraction: Contraction) -> str | None:
    """Return the reason why a contraction cannot be computed on the GPUs of this process; None if it can."""
    if os.environ.get(VARIABLE) != "1":
        return f"its kernels for GPUs are untested; {VARIABLE}=1 lets each prove itself on the device before it is used"
    try:
        code = device_code_of(contraction.polynomial, str(contraction.dtype))
        name = device_target_name(code.kernel, driver())
        here = devices()
    except (ValueError, RuntimeError) as error:
        return str(error)
    reasons = (proof(contraction, code, name, device) for device in here)
    return next((reason for reason in reasons if reason is not None), None)


def proof(contraction: Contraction, code: DeviceCode, name: str, device: Any) -> str | None:
    """Return the reason why the kernels of a contraction are not trusted on a device; None if they are."""
    sizes = tuple((index, _TRIAL_ROWS) for index, _ in contraction.sizes)
    trial = replace(contraction, batch=_TRIAL_BATCH, sizes=sizes)
    polynomial, rng = trial.polynomial, np.random.default_rng(0)
    inputs = [rng.normal(size=trial.shape(o)).astype(trial.dtype_of(o)) for o in polynomial.inputs]
    indices = {n: rng.integers(-1, _TRIAL_ROWS + 1, trial.batch).astype(np.int32) for n in polynomial.indices}
    outputs = [n for n, yes in enumerate(polynomial.reached()) if yes]

    run_on_device = jax.jit(lambda *a: call(trial, code, name, a[: len(inputs)], a[len(inputs) :]))

    def compute() -> list[np.ndarray]:
        arrays = [jax.device_put(x, device) for x in (*inputs, *indices.values())]
        return [np.asarray(x) for n, x in enumerate(run_on_device(*arrays)) if n in outputs]

    def expected() -> list[np.ndarray]:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            dtypes = {"dtype": trial.dtype, "out_dtype": trial.dtype, "batch": trial.batch, "sizes": dict(sizes)}
            given = {n: jnp.asarray(x) for n, x in indices.items()}
            found = evaluate(polynomial, [jnp.asarray(x) for x in inputs], given, executor="reference", **dtypes)
            types = trial.output_types()
            return [np.asarray(found[n].astype(types[n].dtype)) for n in outputs]

    return verdict(f"{device.device_kind} {device.id}", name, compute, expected)


def run(contraction: Contraction, inputs: Sequence[jax.Array], indices: Sequence[jax.Array]) -> list[jax.Array]:
    """Compute a contraction on a GPU where its kernels have proven themselves.

    Args:
        contraction: the contraction.
        inputs: the arrays.
        indices: the indices as int32.

    Raises:
        ValueError: the kernels are not trusted.
    """
    if (reason := why_not(contraction)) is not None:
        raise ValueError(f"executor 'llvm' does not compute on this GPU: {reason}")
    code = device_code_of(contraction.polynomial, str(contraction.dtype))
    return call(contraction, code, device_target_name(code.kernel, driver()), inputs, indices)


def call(
    contraction: Contraction, code: DeviceCode, name: str, inputs: Sequence[jax.Array], indices: Sequence[jax.Array]
) -> list[jax.Array]:
    """Call kernels, which need not have proven themselves; outputs that no path reaches are arbitrary."""
    sizes, outputs = sizes_of(contraction), contraction.output_types()
    work = [
        jax.ShapeDtypeStruct((w.length(sizes),), contraction.dtype if w.element == "float" else jnp.dtype(w.element))
        for w in code.work
    ]
    rows, named = dict(contraction.sizes), dict(zip(contraction.polynomial.indices, indices, strict=True))
    order = [array for index in code.sorted for array in _sorted(named[index], rows[index])]
    attributes = {size: np.int64(sizes[size]) for size in code.program.sizes}
    results = jax.ffi.ffi_call(name, [*outputs, *work])(*inputs, *indices, *order, **attributes)
    return list(results)[: len(outputs)]


def _sorted(index: jax.Array, rows: int) -> tuple[jax.Array, jax.Array]:
    """Return the order of an index and where each row starts, see :class:`irreps_llvm.generator.Generated`."""
    row = jnp.where((index >= 0) & (index < rows), index, rows)
    order = jnp.argsort(row, stable=True)
    starts = jnp.cumsum(jnp.zeros(rows + 2, jnp.int32).at[row + 1].add(1))
    return order.astype(jnp.int32), starts.astype(jnp.int32)
