"""Every layer, exported by ``jax.export`` as one program for any number of rows."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import irreps_ops as irr
from irreps_ops.testing import layer_cases
from irreps_ops.testing._layer_checks import Alone, Subject


@pytest.mark.parametrize("name", irr.bindings._registry.LAYERS.builtin)
def test_symbolic_number_of_rows(name: str) -> None:
    pytest.importorskip("flatbuffers")  # with which jax.export writes programs
    cases = layer_cases(name)
    for case in cases if name == "Linear" else cases[:1]:  # each compiles two programs
        subject = Subject(case.astype(jnp.float32), Alone())
        inputs, trees = subject.case.inputs, jax.tree.map(np.asarray, subject.trees)
        shared = [i in case.shared for i, x in enumerate(inputs) for _ in jax.tree.leaves(x)]
        arrays, structure = jax.tree.flatten(inputs)
        _ = subject.options  # computed before tracing

        def function(*arrays: Any, subject: Any = subject, trees: Any = trees, structure: Any = structure) -> Any:
            return jax.tree.leaves(subject.run(trees, jax.tree.unflatten(structure, arrays)))

        (n,) = export.symbolic_shape("n")
        types = [
            jax.ShapeDtypeStruct(x.shape if s or not x.ndim else (n, *x.shape[1:]), x.dtype)
            for x, s in zip(arrays, shared, strict=True)
        ]
        program = export.deserialize(export.export(jax.jit(function))(*types).serialize())
        both = jax.jit(lambda *arrays, p=program, f=function: (p.call(*arrays), f(*arrays)))
        for found, expected in zip(*both(*arrays), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=case.name)
