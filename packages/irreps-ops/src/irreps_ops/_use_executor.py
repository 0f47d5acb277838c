"""Saying for a whole function who computes its polynomials, and checking the indices of all of them."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

from ._executors import Choice, Task, choose
from ._primitive import polynomial_p

P = ParamSpec("P")
T = TypeVar("T")


def use_executor(function: Callable[P, T], executor: Choice) -> Callable[P, T]:
    """The same function, with another executor for every operation of the compute core in it that names none itself.

    A transformation like ``jax.jit``, not a setting: it changes this function and nothing else, and what has been
    compiled before stays what it is. It reaches into jit, scan, cond, while and remat; not into the derivatives that
    a ``jax.custom_jvp`` or ``jax.custom_vjp`` defines, which run as they are written.

    Args:
        function: of pytrees of arrays; it is traced, as by ``jax.jit``. What is no array is passed on as it is.
        executor: a name, an executor, several of them (the first that can), or a function of the :class:`Task`, which
            overrules the cost model; see :func:`evaluate` and :func:`cheapest`.

    Returns:
        A function of the same arguments. It may be transformed in turn: jit, grad, vmap.

    Raises:
        ValueError: (when called) the executor cannot do one of the tasks; says which and why.

    Example:
        >>> import irreps_core as ic
        >>> import irreps_ops as io
        >>> import jax
        >>> x = ic.normal("8x0e + 8x1o", jax.random.key(0), (4,))
        >>> slow = io.use_executor(lambda x: io.tensor_square(x).array.sum(), "reference")
        >>> slow(x).shape
        ()
    """
    return _changed(function, lambda given: executor if given is None else given)


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, with every index of the compute core checked when it runs: a debug mode.

    Without it what is out of range reads zeros and is dropped. With it an index below 0 or above the number of rows is
    an error that says which index, where, and what was expected. An index equal to the number of rows is allowed: it
    is how padding is marked. The numbers are the same; the checks run on the host and cost time.

    Args:
        function: as for :func:`use_executor`.

    Returns:
        A function of the same arguments, which may be transformed in turn.

    Raises:
        jax.errors.JaxRuntimeError: (when the result is computed) an index is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> import irreps_ops as io
        >>> copy = io.Path((0,), 0, ("u", "u"), io.Coefficients.from_dense(np.eye(3)))
        >>> polynomial = io.Polynomial((io.Operand(3, (8,), "senders"),), (io.Operand(3, (8,)),), (copy,))
        >>> gather = lambda x, senders: io.evaluate(polynomial, [x], {"senders": senders})[0]
        >>> x = jnp.ones((5, 3, 8))
        >>> gather(x, jnp.array([0, -4])).shape
        (2, 3, 8)
        >>> io.checked(gather)(x, jnp.array([0, -4]))
        Traceback (most recent call last):
        ...
        jax.errors.JaxRuntimeError: ... index 'senders' is -4 at place 1 of 2; expected 0 to 4, or 5 for padding ...
    """
    return _changed(function, Checked)


@dataclass(frozen=True)
class Checked:
    """An executor that looks at the indices and lets another one compute."""

    inner: Choice = None
    name = "checked"
    irreps_api = 1

    def why_not(self, task: Task) -> str | None:
        """It can whatever the other one can, which is asked when it runs."""
        return None

    def cost(self, task: Task) -> float:
        """It is never taken for its speed."""
        return float("inf")

    def run(self, task: Task, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
        """See :class:`Executor`."""
        sizes = dict(task.sizes)
        looked_at = {
            # The index that comes back is the one that is used, so that the check cannot be left out as useless.
            name: jax.pure_callback(
                functools.partial(_check, name, sizes[name]), jax.ShapeDtypeStruct(index.shape, index.dtype), index
            )
            for name, index in indices.items()
        }
        return choose(task, self.inner).run(task, inputs, looked_at)


def _check(name: str, rows: int, index: Any) -> np.ndarray:
    """The index itself.

    Raises:
        IndexError: a number in it is out of range.
    """
    found = np.asarray(index)
    wrong = np.flatnonzero((found < 0) | (found > rows))
    if len(wrong):
        raise IndexError(
            f"index {name!r} is {found[wrong[0]]} at place {wrong[0]} of {len(found)}; "
            f"expected 0 to {rows - 1}, or {rows} for padding"
        )
    return found


def _changed(function: Callable[P, T], change: Callable[[Choice], Choice]) -> Callable[P, T]:
    """The function with the executor of each polynomial in it replaced."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        leaves, tree = jax.tree.flatten((args, kwargs))
        places = [n for n, leaf in enumerate(leaves) if isinstance(leaf, (jax.Array, np.ndarray))]
        out_tree: Any = None

        def flat(*arrays: Any) -> list[Any]:
            nonlocal out_tree
            everything = list(leaves)
            for place, array in zip(places, arrays, strict=True):
                everything[place] = array
            given, named = jax.tree.unflatten(tree, everything)
            call: Callable[..., T] = function
            found, out_tree = jax.tree.flatten(call(*given, **named))
            return found

        arrays = [leaves[place] for place in places]
        program = _rewritten(jax.make_jaxpr(flat)(*arrays), change)
        return jax.tree.unflatten(out_tree, jaxpr_as_fun(program)(*arrays))

    return wrapped


def _rewritten(value: Any, change: Callable[[Choice], Choice]) -> Any:
    """A program, or a parameter in which there may be programs, with each executor replaced."""
    if isinstance(value, Jaxpr):  # since JAX 0.12 a closed one too
        return value.replace(eqns=[_rewritten_equation(eqn, change) for eqn in value.eqns])
    if isinstance(value, ClosedJaxpr):
        return ClosedJaxpr(_rewritten(value.jaxpr, change), value.consts)
    if isinstance(value, (tuple, list)):
        items = [_rewritten(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
    return value


def _rewritten_equation(eqn: Any, change: Callable[[Choice], Choice]) -> Any:
    if eqn.primitive is polynomial_p:
        return eqn.replace(params={**eqn.params, "executor": change(eqn.params["executor"])})
    return eqn.replace(params={name: _rewritten(value, change) for name, value in eqn.params.items()})
