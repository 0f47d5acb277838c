"""Everything that a primitive needs of JAX beyond its public interface. No other file may use private JAX."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.core
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, partial_eval

if TYPE_CHECKING:
    # Since JAX 0.12 another name of Jaxpr, which type checkers do not see.
    ClosedJaxpr: TypeAlias = Any
else:
    from jax.extend.core import ClosedJaxpr

# A tangent or cotangent that is known to be zero; JAX never makes an array of it.
Zero = ad.Zero
is_undefined = ad.is_undefined_primal


def closed(jaxpr: Any, consts: Sequence[Any]) -> ClosedJaxpr:
    """Return a program together with its constants."""
    make: Any = ClosedJaxpr
    return make(jaxpr, consts)


def zero_tangent(x: Any) -> Any:
    """Return the symbolic zero in the tangent space of `x`."""
    return Zero(jax.typeof(x).to_tangent_aval())


def _axes_of_type(aval: Any) -> frozenset[str]:
    """Return the mesh axes along which, inside ``shard_map``, arrays of this type differ between devices."""
    found = getattr(aval, "vma", None)  # until JAX 0.9; since then part of the "manual axis type"
    return aval.mat.varying if found is None else found


def vary_alike(arrays: Sequence[Any]) -> list[Any]:
    """Mark each array, inside ``shard_map``, as differing between devices wherever any of them does.

    JAX requires this of the arguments of a primitive. It tells where a gradient must be summed over devices.
    """
    of_each = [_axes_of_type(jax.typeof(x)) for x in arrays]
    axes = frozenset[str]().union(*of_each)
    return [_varying(x, axes - its) for x, its in zip(arrays, of_each, strict=True)] if axes else list(arrays)


def _varying(x: Any, axes: frozenset[str]) -> Any:
    if not axes:
        return x
    names = tuple(sorted(axes))
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, names, to="varying")
    return getattr(jax.lax, "pvary")(x, names)  # noqa: B009 - until JAX 0.8; the type checker sees a newer one


def _types(results: Sequence[jax.ShapeDtypeStruct], axes: frozenset[str]) -> list[Any]:
    """Return the abstract values of results that vary along these axes."""
    if not axes:
        return [jax.core.ShapedArray(r.shape, r.dtype) for r in results]
    # The spelling of a varying type differs between versions of JAX; trace a program that makes such arrays.
    program = jax.make_jaxpr(lambda: [_varying(jnp.zeros(r.shape, r.dtype), axes) for r in results])
    return list(program().out_avals)


def new_primitive(
    name: str,
    *,
    run: Callable[..., list[jax.Array]],
    shapes: Callable[..., list[jax.ShapeDtypeStruct]],
    jvp: Callable[..., tuple[list[Any], list[Any]]],
    transpose: Callable[..., list[Any]],
    vmap: Callable[..., tuple[list[Any], list[Any]]],
    prune: Callable[[list[bool], dict[str, Any]], tuple[list[bool], dict[str, Any]]],
    static: Sequence[str],
) -> Primitive:
    """Make a primitive with several results.

    Args:
        name: its name in a jaxpr.
        run: computes it with public JAX functions; called as ``run(*arrays, platform=..., exported=..., **parameters)``
            when it is lowered. The platform is ``"cpu"``, ``"cuda"``, ..., or None for a program for several
            platforms; `exported` tells whether it is lowered for ``jax.export``.
        shapes: returns shapes and dtypes of the results; called as ``shapes(*avals, **parameters)``.
        jvp: ``jvp(primals, tangents, **parameters)`` returns results and their tangents.
        transpose: ``transpose(cotangents, *arrays, **parameters)`` returns a cotangent for each array, or None.
        vmap: ``vmap(arrays, axes, **parameters)`` returns results and their mapped axes.
        prune: ``prune(used_results, parameters)`` returns which arrays are still needed, and the new parameters.
        static: the names of the parameters.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True

    def abstract(*avals: Any, **parameters: Any) -> list[Any]:
        return _types(shapes(*avals, **parameters), frozenset[str]().union(*map(_axes_of_type, avals)))

    def dce(used: Sequence[bool], *live_inputs_and_eqn: Any) -> tuple[list[bool], Any]:
        eqn = live_inputs_and_eqn[-1]  # JAX 0.12 puts the live inputs, which matter to effects only, before it
        if not any(used):
            return [False] * len(eqn.invars), None
        needed, parameters = prune(list(used), dict(eqn.params))
        invars = [v for v, yes in zip(eqn.invars, needed, strict=True) if yes]
        outvars = [v for v, yes in zip(eqn.outvars, used, strict=True) if yes]
        return needed, eqn.replace(invars=invars, outvars=outvars, params=parameters)

    def lowering(ctx: Any, *values: Any, **parameters: Any) -> Any:
        platforms = ctx.platforms or ctx.module_context.platforms
        platform = platforms[0] if len(platforms) == 1 else None
        exported = ctx.module_context.lowering_parameters.for_export
        lower = mlir.lower_fun(partial(run, platform=platform, exported=exported), multiple_results=True)
        # The program runs on one device, so nothing in it varies along the axes of a mesh.
        return lower(
            ctx.replace(avals_in=_types(ctx.avals_in, frozenset()), avals_out=_types(ctx.avals_out, frozenset())),
            *values,
            **parameters,
        )

    primitive.def_abstract_eval(abstract)

    jitted = jax.jit(lambda *arrays, **parameters: primitive.bind(*arrays, **parameters), static_argnames=static)

    def impl(*arrays: Any, **parameters: Any) -> Any:
        with jax.disable_jit(False):  # like the primitives of JAX, it is compiled: it has no steps that a user wrote
            return jitted(*arrays, **parameters)

    primitive.def_impl(impl)
    mlir.register_lowering(primitive, lowering)
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = vmap
    partial_eval.dce_rules[primitive] = dce
    return primitive


def without_dead_code(function: ClosedJaxpr, used: Sequence[bool]) -> tuple[ClosedJaxpr, list[bool]]:
    """Keep only some results of a traced function, and only the arguments that they need.

    Returns:
        The function, and for each argument whether it is still there.
    """
    jaxpr, needed = partial_eval.dce_jaxpr(function.jaxpr, list(used))
    return closed(jaxpr, function.consts), needed


def with_results(function: ClosedJaxpr, results: Sequence[Any]) -> ClosedJaxpr:
    """Return a traced function that returns other variables of the same program."""
    jaxpr = function.jaxpr
    names = jaxpr.debug_info._replace(result_paths=("",) * len(results))  # those of the old results do not fit
    return closed(jaxpr.replace(outvars=list(results), debug_info=names), function.consts)
