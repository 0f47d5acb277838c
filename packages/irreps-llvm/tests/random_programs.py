"""Compare programs of random polynomials and their derivatives with Einstein sums of NumPy, in random layouts.

    python packages/irreps-llvm/tests/random_programs.py [--programs 10000] [--seed 0] [--interpreted 100]

Each program runs as machine code of this processor, with a random width of the vector registers, its chunks in reverse
order; one in a hundred is interpreted as well. What must not be read, or must be set, is nan. Errors are relative to
the largest sum of absolute values of terms, so that cancellation does not count. The exit status is 1 if a number is
wrong.
"""

import argparse
import ctypes
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from irreps_llvm._executor import kernel_of
from irreps_llvm.generator import Generated, Registers, generate
from irreps_llvm.generator._sizes import sizes_of
from irreps_llvm.program import interpret
from irreps_llvm.runtime._compiler import FOR_KERNELS, compile_ir
from irreps_llvm.runtime._machine import host_machine, load_llvm
from irreps_ops.compute import Contraction, Operand, Polynomial, Views
from irreps_ops.testing._executor_cases import ExecutorCase, random_cases, random_views

CHANNELS = ((3, 2), (8, 4), (16, 5), (1, 17), (32, 9))
TOLERANCE = {"float32": 1e-6, "float64": 1e-13}
_MOST_TERMS = 3000


def derivatives(polynomial: Polynomial, order: int) -> Iterator[Polynomial]:
    """Yield a polynomial and the gradients of a random combination of its outputs, of its gradients, and so on."""
    yield polynomial
    for _ in range(order):
        n = len(polynomial.inputs)
        polynomial = polynomial.derivative([True] * n).transpose([False] * n + [True] * n)
        polynomial = polynomial.select(polynomial.reached())[0]
        if sum(len(path.coefficients) for path in polynomial.paths) > _MOST_TERMS:
            return
        yield polynomial


def by_einsum(
    contraction: Contraction, arrays: Sequence[np.ndarray], indices: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Evaluate a contraction path by path."""
    polynomial, rows = contraction.polynomial, dict(contraction.sizes)
    read = []
    for operand, x in zip(polynomial.inputs, arrays, strict=True):
        x = x.astype(np.float64)
        if operand.index:
            chosen = indices[operand.index]
            inside = (chosen >= 0) & (chosen < rows[operand.index])
            found = np.zeros((contraction.batch, *operand.shape))
            found[inside] = x[chosen[inside]]
            x = found
        read.append(x)
    sums = [np.zeros(contraction.shape(operand)) for operand in polynomial.outputs]
    components = "ABCDEFGHIJKLM"
    for path in polynomial.paths:
        operands = polynomial.operands(path)
        named = [
            ("Z" if o.batch_axes else "") + "".join(o.laid_out(components[n], s))
            for n, (o, s) in enumerate(zip(operands, path.subscripts, strict=True))
        ]
        factors = [*(read[n] for n in path.inputs), path.coefficients.dense([o.components for o in operands])]
        letters = [*named[:-1], components[: len(operands)]]
        for letter, extent in {**polynomial.extents(path), "Z": contraction.batch}.items():
            if letter not in "".join(letters) and (letter in named[-1] or letter == "Z"):
                letters.append(letter)
                factors.append(np.ones(extent))
        y = np.einsum(",".join(letters) + "->" + named[-1], *factors, optimize=True)
        output, total = operands[-1], sums[path.output]
        if output.index:
            chosen = indices[output.index]
            inside = (chosen >= 0) & (chosen < rows[output.index])
            np.add.at(total, chosen[inside], y[inside])
        else:
            total += y
    return sums


def filled(
    contraction: Contraction, views: Views, inputs: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the input arrays, nan where no operand is, and the output arrays, nan everywhere."""
    polynomial = contraction.polynomial
    arrays = _empty(contraction, views.inputs, polynomial.inputs)
    for view, operand, x in zip(views.inputs, polynomial.inputs, inputs, strict=True):
        _parts(arrays[view.array], view, operand, x)
    return arrays, _empty(contraction, views.outputs, polynomial.outputs)


def _empty(contraction: Contraction, views: Sequence[Any], operands: Sequence[Operand]) -> list[np.ndarray]:
    found = {
        view.array: np.full((*contraction.shape(o)[: o.batch_axes], *view.of_array(o)), np.nan, contraction.dtype)
        for view, o in zip(views, operands, strict=True)
    }
    return [found[n] for n in sorted(found)]


def _parts(array: np.ndarray, view: Any, operand: Operand, x: np.ndarray | None = None) -> np.ndarray:
    """Write an operand to its parts of an array, or read it."""
    lead = array.shape[:-1]
    found, place = [], 0
    for (components, _), (start, stop) in zip(view.parts, view.ranges(operand), strict=True):
        several = len(view.parts) > 1
        if x is not None:
            some = x[..., place : place + components] if several else x
            array[..., start:stop] = some.reshape(*lead, stop - start)
        shape = (*operand.channels, components) if several else operand.shape
        found.append(array[..., start:stop].reshape(*lead[: operand.batch_axes], *shape))
        place += components
    return np.concatenate(found, -1) if len(found) > 1 else found[0]


def workspaces(contraction: Contraction, code: Generated) -> list[np.ndarray]:
    """Return arrays to work in, with unset memory."""
    sizes, found = sizes_of(contraction), []
    for work in code.workspaces:
        dtype = contraction.dtype if work.element == "float" else np.dtype(work.element)
        found.append(np.full(work.length(sizes), np.nan if dtype.kind == "f" else -(2**31), dtype))
    return found


def run_machine_code(
    contraction: Contraction, code: Generated, registers: Registers, arrays: Sequence[np.ndarray]
) -> None:
    """Compile a program and run it on arrays: inputs, indices, outputs, work space."""
    llvm, machine, kernel = load_llvm(), host_machine(), kernel_of(code.program, registers)
    names = [f"{what}{n}" for n in range(kernel.phases) for what in ("chunks", "phase")]
    object_code = compile_ir(kernel.ir, names, machine, FOR_KERNELS)
    target = llvm.Target.from_triple(machine.triple).create_target_machine(
        cpu=machine.cpu, features=machine.features, codemodel="jitdefault", jit=True
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(object_code))
    engine.finalize_object()
    sizes = sizes_of(contraction)
    values = [*(a.ctypes.data for a in arrays), *(sizes[name] for name in kernel.attributes)]
    frame = (ctypes.c_int64 * len(values))(*values)
    for n in range(kernel.phases):
        count = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address(f"chunks{n}"))
        phase = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address(f"phase{n}"))
        for chunk in reversed(range(count(ctypes.addressof(frame)))):
            phase(chunk, ctypes.addressof(frame))


def cases(seed: int) -> Iterator[tuple[ExecutorCase, Polynomial, np.random.Generator]]:
    """Yield polynomials without end: random ones and their derivatives, to third order."""
    while True:
        rng = np.random.default_rng(seed)
        for case in random_cases(10, seed, CHANNELS[seed % len(CHANNELS)]):
            polynomial = case.polynomial.select(case.polynomial.reached())[0]
            for derived in derivatives(polynomial, int(rng.integers(0, 4))):
                if derived.paths:
                    yield case, derived, rng
        seed += 1


def main() -> None:
    """Run the programs and print the largest errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--interpreted", type=int, default=100, help="interpret every n-th program")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    machine, start = host_machine(), time.perf_counter()
    widths = [Registers(machine.vector_bytes, machine.vector_registers), Registers(32, 16), Registers(16, 32)]
    worst: dict[tuple[str, str], float] = {}
    wrong = interpreted = 0
    for number, (case, polynomial, rng) in enumerate(cases(options.seed)):
        if number == options.programs:
            break
        dtype, registers = ("float32", "float64")[rng.integers(2)], widths[rng.integers(3)]
        sizes = tuple((name, case.size) for name in polynomial.indices)
        contraction = Contraction(polynomial, case.batch, sizes, dtype)
        views = random_views(polynomial, int(rng.integers(1 << 30)))
        inputs = [rng.normal(size=contraction.shape(o)).astype(dtype) for o in polynomial.inputs]
        indices = {name: np.asarray(case.indices[name], np.int32) for name in polynomial.indices}
        expected = by_einsum(contraction, inputs, indices)
        scale = by_einsum(_absolute(contraction), [np.abs(x) for x in inputs], indices)
        code = generate(polynomial, dtype, registers, views=views, scatter=bool(rng.integers(2)))
        ways = ["machine code", *(["interpreter"] if number % options.interpreted == 0 else [])]
        for way in ways:
            given, outputs = filled(contraction, views, inputs)
            arrays = [*given, *indices.values()]
            results = [*outputs, *workspaces(contraction, code)]
            if way == "interpreter":
                interpreted += 1
                flat = [np.reshape(a, -1) for a in results]
                interpret(code.program, [np.ravel(a) for a in arrays], flat, sizes_of(contraction))
            else:
                run_machine_code(contraction, code, registers, [*arrays, *results])
            # What lies between the outputs must have become zero.
            error = np.inf if any(np.isnan(array).any() for array in outputs) else 0.0
            for view, operand, y, size in zip(views.outputs, polynomial.outputs, expected, scale, strict=True):
                found = _parts(outputs[view.array], view, operand)
                largest = max(float(np.max(np.abs(size), initial=0.0)), 1e-30)
                difference = float(np.max(np.abs(found - y), initial=0.0)) / largest
                error = max(error, difference if difference == difference else np.inf)
            worst[dtype, way] = max(worst.get((dtype, way), 0.0), error)
            if error > TOLERANCE[dtype]:
                wrong += 1
                print(f"WRONG {way} {case.name} program {number} {dtype} {registers}: {error:.1e}", flush=True)
        if number % 500 == 499:
            print(f"{number + 1} programs, {time.perf_counter() - start:.0f} s, worst {worst}", flush=True)
    print(
        f"{options.programs} programs, {interpreted} of them interpreted as well, {wrong} wrong; worst errors {worst}"
    )
    sys.exit(wrong > 0)


def _absolute(contraction: Contraction) -> Contraction:
    """Replace the coefficients by their absolute values."""
    paths = [
        replace(p, coefficients=type(p.coefficients)(p.coefficients.terms, np.abs(p.coefficients.values)))
        for p in contraction.polynomial.paths
    ]
    polynomial = contraction.polynomial
    return replace(contraction, polynomial=Polynomial(polynomial.inputs, polynomial.outputs, tuple(paths)))


if __name__ == "__main__":
    main()
