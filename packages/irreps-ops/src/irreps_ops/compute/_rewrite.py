"""Override the executor throughout a function, and check its indices and matrices."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jax.extend.core import Jaxpr, jaxpr_as_fun

from irreps_core import inverse_matrix

from ._contraction import Contraction
from ._dispatch import Choice, choose
from ._jax_compat import ClosedJaxpr, closed
from ._primitive import polynomial_p
from ._terms import Index

P = ParamSpec("P")
T = TypeVar("T")


def use_executor(function: Callable[P, T], executor: Choice) -> Callable[P, T]:
    """Use another executor for every operation of the compute core in a function that does not name one itself.

    This is a transformation like ``jax.jit``, not a setting: it changes this function alone. It reaches into jit, scan,
    cond, while and remat, but not into derivatives defined by ``jax.custom_jvp`` or ``jax.custom_vjp``.

    Args:
        function: of pytrees of arrays; it is traced, as by ``jax.jit``. Leaves that are not arrays are passed on.
        executor: a name, an executor, several of them (the first capable one is taken), or a function of the
            :class:`Contraction`, which overrules the cost model; see :func:`evaluate` and :func:`cheapest`.

    Returns:
        A function of the same arguments. It may be transformed in turn: jit, grad, vmap.

    Raises:
        ValueError: (when called) the executor cannot compute one of the contractions; the message gives the reason.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> from irreps_ops.compute import use_executor
        >>> x = irr.normal("8x0e + 8x1o", jax.random.key(0), (4,))
        >>> slow = use_executor(lambda x: irr.tensor_square(x).array.sum(), "reference")
        >>> slow(x).shape
        ()
    """
    return _changed(function, lambda given: executor if given is None else given)


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Check every index of the compute core, and matrices of rotations, when the function runs: a debug mode.

    Without it, entries out of range read zeros and write nothing. With it, an entry below 0 or above the number of rows
    is an error that names the index, its position and the expected range. An entry equal to the number of rows is
    allowed where it marks padding (:class:`Index`).

    Functions such as ``Irreps.D_from_matrix`` refuse matrices that are not orthogonal. If JAX traces the matrices, they
    are checked only here. The numbers are the same; the checks run on the host and take time.

    Args:
        function: as for :func:`use_executor`.

    Returns:
        A function of the same arguments, which may be transformed in turn.

    Raises:
        jax.errors.JaxRuntimeError: (when the result is computed) an index is out of range, or a matrix is not
            orthogonal. A compiled program that has run before raises a ValueError instead.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Index, Operand, Path, Polynomial, checked, evaluate
        >>> copy = Path((0,), 0, ("u", "u"), Coefficients.from_dense(np.eye(3)))
        >>> polynomial = Polynomial((Operand(3, (8,), Index("senders")),), (Operand(3, (8,)),), (copy,))
        >>> gather = lambda x, senders: evaluate(polynomial, [x], {"senders": senders})[0]
        >>> x = jnp.ones((5, 3, 8))
        >>> gather(x, jnp.array([0, -4])).shape
        (2, 3, 8)
        >>> checked(gather)(x, jnp.array([0, -4]))
        Traceback (most recent call last):
        ...
        jax.errors.JaxRuntimeError: ... index 'senders' is -4 at position 1 of 2; expected 0 to 4, or 5 for padding ...
    """
    return _changed(function, Checked, _with_checked_matrices)


# The names that irreps_core gives to matrices that JAX traces, and whether they may be mirrors.
_MATRICES = {"irreps: orthogonal matrices": True, "irreps: rotation matrices": False}


def _with_checked_matrices(eqn: Any) -> Any:
    """Replace an equation that gives matrices a name by one that checks them."""
    if eqn.primitive.name != "name" or eqn.params["name"] not in _MATRICES:
        return eqn
    mirrors = _MATRICES[eqn.params["name"]]
    (matrices,) = eqn.invars
    (checking,) = jax.make_jaxpr(functools.partial(_orthogonal, mirrors))(matrices.aval).eqns
    return checking.replace(invars=eqn.invars, outvars=eqn.outvars)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _orthogonal(mirrors: bool, R: jax.Array) -> jax.Array:
    """Return the matrices that the callback returns, so that XLA cannot remove the check."""
    check = functools.partial(_check_orthogonal, mirrors)
    return jax.pure_callback(check, jax.ShapeDtypeStruct(R.shape, R.dtype), R, vmap_method="broadcast_all")


@_orthogonal.defjvp
def _(mirrors: bool, R: tuple[jax.Array], dR: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return _orthogonal(mirrors, *R), *dR


def _check_orthogonal(mirrors: bool, R: Any) -> np.ndarray:
    """Return the matrices themselves.

    Raises:
        ValueError: one is not orthogonal, or a mirror that is not allowed.
    """
    found = np.asarray(R)
    inverse_matrix(found)
    if not mirrors and (np.linalg.det(found.astype(np.float64)) < 0).any():
        raise ValueError("expected the matrices of rotations, but one is a mirror, of determinant -1")
    return found


@dataclass(frozen=True)
class Checked:
    """An executor that checks the indices and lets another one compute."""

    inner: Choice = None
    name = "checked"
    irreps_api = 1

    def why_not(self, contraction: Contraction) -> str | None:
        """Return None: the other executor is asked when it runs."""
        return None

    def cost(self, contraction: Contraction) -> float:
        """Return infinity: it is never the cheapest."""
        return float("inf")

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`Executor`."""
        sizes = dict(contraction.sizes)
        operands = (*contraction.polynomial.inputs, *contraction.polynomial.outputs)
        strict = {o.index for o in operands if isinstance(o.access, Index) and not o.access.padding}
        verified = {
            # The executor uses the index that the callback returns, so that XLA cannot remove the check.
            name: jax.pure_callback(
                functools.partial(_check, name, sizes[name], name not in strict),
                jax.ShapeDtypeStruct(index.shape, index.dtype),
                index,
            )
            for name, index in indices.items()
        }
        return choose(contraction, self.inner).run(contraction, inputs, verified)


def _check(name: str, rows: int, padding: bool, index: Any) -> np.ndarray:
    """Return the index itself.

    Raises:
        IndexError: an entry is out of range.
    """
    found = np.asarray(index)
    wrong = np.flatnonzero((found < 0) | (found >= rows + padding))
    if len(wrong):
        expected = f"0 to {rows - 1}" + (f", or {rows} for padding" if padding else "")
        raise IndexError(
            f"index {name!r} is {found[wrong[0]]} at position {wrong[0]} of {len(found)}; expected {expected}"
        )
    return found


def _changed(
    function: Callable[P, T], change: Callable[[Choice], Choice], replaced: Callable[[Any], Any] = lambda eqn: eqn
) -> Callable[P, T]:
    """Replace the executor of each polynomial in a function, and other equations without inner programs."""

    def rewrite(eqn: Any) -> Any:
        if eqn.primitive is polynomial_p:
            return eqn.replace(params={**eqn.params, "executor": change(eqn.params["executor"])})
        return replaced(eqn)

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        leaves, tree = jax.tree.flatten((args, kwargs))
        positions = [n for n, leaf in enumerate(leaves) if isinstance(leaf, (jax.Array, np.ndarray))]
        out_tree: Any = None

        def flat(*arrays: Any) -> list[Any]:
            nonlocal out_tree
            everything = list(leaves)
            for position, array in zip(positions, arrays, strict=True):
                everything[position] = array
            given, named = jax.tree.unflatten(tree, everything)
            call: Callable[..., T] = function
            found, out_tree = jax.tree.flatten(call(*given, **named))
            return found

        arrays = [leaves[position] for position in positions]
        program = _rewritten(jax.make_jaxpr(flat)(*arrays), rewrite)
        return jax.tree.unflatten(out_tree, jaxpr_as_fun(program)(*arrays))

    return wrapped


def _rewritten(value: Any, rewrite: Callable[[Any], Any]) -> Any:
    """Rewrite each equation of a program, or of a parameter that may contain programs."""
    if isinstance(value, Jaxpr):  # since JAX 0.12 a closed one too
        return value.replace(eqns=[_rewritten_equation(eqn, rewrite) for eqn in value.eqns])
    if isinstance(value, ClosedJaxpr):
        return closed(_rewritten(value.jaxpr, rewrite), value.consts)
    if isinstance(value, (tuple, list)):
        items = [_rewritten(item, rewrite) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
    return value


def _rewritten_equation(eqn: Any, rewrite: Callable[[Any], Any]) -> Any:
    return rewrite(eqn.replace(params={name: _rewritten(value, rewrite) for name, value in eqn.params.items()}))
