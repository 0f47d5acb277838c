"""What a primitive needs of JAX beyond its public interface: the one file where that may stand."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, partial_eval

# How JAX says that a tangent or cotangent is known to be zero; it is never made an array.
Zero = ad.Zero
is_undefined = ad.is_undefined_primal


def zero_tangent(x: Any) -> Any:
    """The symbolic zero in the tangent space of `x`."""
    return Zero(jax.typeof(x).to_tangent_aval())


def new_primitive(
    name: str,
    *,
    run: Callable[..., list[jax.Array]],
    shapes: Callable[..., list[jax.ShapeDtypeStruct]],
    jvp: Callable[..., tuple[list[Any], list[Any]]],
    transpose: Callable[..., list[Any]],
    batch: Callable[..., tuple[list[Any], list[Any]]],
    prune: Callable[[list[bool], dict[str, Any]], tuple[list[bool], dict[str, Any]]],
    static: Sequence[str],
) -> Primitive:
    """A primitive with several results.

    Args:
        name: its name in a jaxpr.
        run: computes it with public JAX functions; called as ``run(*arrays, **parameters)``.
        shapes: shapes and dtypes of the results; called alike.
        jvp: ``jvp(primals, tangents, **parameters)`` gives results and their tangents.
        transpose: ``transpose(cotangents, *arrays, **parameters)`` gives a cotangent for each array, or None.
        batch: ``batch(arrays, axes, **parameters)`` gives results and their batch axes.
        prune: ``prune(used_results, parameters)`` gives which arrays are still needed, and the new parameters.
        static: the names of the parameters.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True

    def abstract(*avals: Any, **parameters: Any) -> list[Any]:
        return [jax.core.ShapedArray(s.shape, s.dtype) for s in shapes(*avals, **parameters)]

    def dce(used: Sequence[bool], *live_inputs_and_eqn: Any) -> tuple[list[bool], Any]:
        eqn = live_inputs_and_eqn[-1]  # JAX 0.12 puts the live inputs, which matter to effects only, before it
        if not any(used):
            return [False] * len(eqn.invars), None
        needed, parameters = prune(list(used), dict(eqn.params))
        invars = [v for v, yes in zip(eqn.invars, needed, strict=True) if yes]
        outvars = [v for v, yes in zip(eqn.outvars, used, strict=True) if yes]
        return needed, eqn.replace(invars=invars, outvars=outvars, params=parameters)

    primitive.def_abstract_eval(abstract)
    primitive.def_impl(jax.jit(run, static_argnames=static))
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=True))
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    partial_eval.dce_rules[primitive] = dce
    return primitive
