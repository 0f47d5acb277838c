"""A force field as a file that JAX alone runs, for any number of atoms and neighbours."""

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from force_field.derivatives import Potential, evaluate
from force_field.evaluation import Predictor
from force_field.simulation.system import Pairs, moving_batch
from irreps_flax.nnx import binding
from irreps_ops.checkpoint import write_file

FORMAT = "force-field program"
VERSION = 1


def export(model: Potential, path: Path, dtype: str = "float64", platforms: tuple[str, ...] = ("cpu", "cuda")) -> None:
    """Write a force field as a program of :mod:`jax.export` with symbolic sizes.

    The file is a ZIP archive: `program.bin`, the serialized program with the parameters in it, and `about.json`, its
    elements, cutoff, reference energies and dtype. :mod:`force_field.export.loader`, a file that imports nothing but
    JAX (with flatbuffers, which ``jax.export`` needs) and NumPy, reads it.

    Args:
        model: the force field.
        path: the file.
        dtype: dtype of the computation.
        platforms: where the program can run, by the names of JAX.
    """
    exported = jax.export.export(jax.jit(_program(model, dtype)), platforms=list(platforms))(*_arguments(dtype))
    about = {
        "format": FORMAT,
        "version": VERSION,
        "elements": list(model.elements),
        "cutoff": float(model.cutoff),
        "reference_energies": [float(energy) for energy in model.reference_energies],
        "dtype": dtype,
    }
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", json.dumps(about))
        archive.writestr("program.bin", bytes(exported.serialize()))
    write_file(path, content.getvalue())


def _program(model: Potential, dtype: str) -> Callable[..., tuple[jax.Array, ...]]:
    parameters = Predictor(model, dtype).parameters

    def program(
        species: jax.Array,
        positions: jax.Array,
        cell: jax.Array,
        receivers: jax.Array,
        senders: jax.Array,
        images: jax.Array,
    ) -> tuple[jax.Array, ...]:
        atoms = jnp.ones(species.shape, bool)
        batch = moving_batch(species, positions, cell, atoms, Pairs(receivers, senders, images), model.cutoff)
        return tuple(evaluate(binding.from_trees(model, parameters), batch))

    return program


def _arguments(dtype: str) -> tuple[jax.ShapeDtypeStruct, ...]:
    n, e = jax.export.symbolic_shape("n, e")
    integers = np.dtype(np.int32)
    return (
        jax.ShapeDtypeStruct((n,), integers),
        jax.ShapeDtypeStruct((n, 3), np.dtype(dtype)),
        jax.ShapeDtypeStruct((3, 3), np.dtype(dtype)),
        jax.ShapeDtypeStruct((e,), integers),
        jax.ShapeDtypeStruct((e,), integers),
        jax.ShapeDtypeStruct((e, 3), np.dtype(dtype)),
    )
