"""The registry of executors, and the choice of one for a contraction."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, TypeAlias, runtime_checkable

import jax

from irreps_core import cached, plugins

from ._contraction import Contraction
from ._views import Views
from .executors._edge_rows import EdgeRowsExecutor
from .executors._reference import ReferenceExecutor
from .executors._xla import XlaExecutor


@runtime_checkable
class Executor(Protocol):
    """Computes contractions. A plugin of the group ``irreps.executors`` is one, with ``irreps_api = 1``.

    Derivatives, vmapped and pruned polynomials reach it as contractions of their own.

    Example:
        >>> from irreps_ops import compute
        >>> class Refusing:
        ...     irreps_api, name = 1, "refusing"
        ...     def why_not(self, contraction):
        ...         return "it computes nothing"
        ...     def cost(self, contraction):
        ...         return 0.0
        ...     def run(self, contraction, inputs, indices): ...
        >>> isinstance(Refusing(), compute.Executor)
        True
    """

    name: str

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason why it cannot compute this, in words; None if it can.

        Sizes may be symbolic (:attr:`Contraction.is_symbolic`); only exported programs have such sizes.
        """
        ...

    def cost(self, contraction: Contraction) -> float:
        """Return an estimate of the run time in nanoseconds. By default the cheapest capable executor is chosen.

        Its sizes are numbers; typical ones (:meth:`Contraction.estimated`) stand for symbolic ones.
        """
        ...

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """Compute the outputs.

        Args:
            contraction: the polynomial, sizes, dtypes and platform.
            inputs: for each input of the polynomial an array of shape ``contraction.shape(operand)`` and dtype
                ``contraction.dtype_of(operand)``.
            indices: for each index of the polynomial integers of shape (batch,). Entries out of range, negative ones
                included, read zeros and write nothing.

        Returns:
            For each output of the polynomial an array of shape ``contraction.shape(operand)`` and dtype
            ``contraction.dtype_of(operand)``, computed and summed in ``contraction.dtype``.
        """
        ...


@runtime_checkable
class ViewsExecutor(Protocol):
    """An executor that reads and writes parts of arrays, so that none is split or joined for it.

    Example:
        >>> from irreps_ops import compute
        >>> class Refusing:
        ...     irreps_api, name = 1, "refusing"
        ...     def why_not(self, contraction):
        ...         return "it computes nothing"
        ...     def run_on_views(self, contraction, views, arrays, indices): ...
        >>> isinstance(Refusing(), compute.ViewsExecutor)
        True
    """

    name: str

    def run_on_views(
        self,
        contraction: Contraction,
        views: Views,
        arrays: Sequence[jax.Array],
        indices: Mapping[str, jax.Array],
    ) -> list[jax.Array]:
        """Compute the output arrays.

        Args:
            contraction: as for :meth:`Executor.run`.
            views: where operands lie in the arrays.
            arrays: the input arrays, of shape ``(*rows, *view.of_array(operand))``.
            indices: as for :meth:`Executor.run`.

        Returns:
            The output arrays, ``views.output_types(contraction)``. What no view covers is zero.
        """
        ...


class ExecutorRefused(ValueError):
    """None of the requested executors can compute a contraction; the message gives the reason of each.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, ExecutorRefused, Operand, Path, Polynomial, evaluate
        >>> same = Path((0,), 0, ("", ""), Coefficients.from_dense(np.eye(2)))
        >>> polynomial = Polynomial((Operand(2),), (Operand(2),), (same,))
        >>> class Refusing:
        ...     irreps_api, name = 1, "refusing"
        ...     def why_not(self, contraction):
        ...         return "it computes nothing"
        ...     cost = run = None
        >>> try:
        ...     evaluate(polynomial, [jnp.ones((1, 2))], executor=Refusing())
        ... except ExecutorRefused as error:
        ...     print("it computes nothing" in str(error))
        True
    """


Named: TypeAlias = "str | Executor"
Choice: TypeAlias = "Named | tuple[Named, ...] | Callable[[Contraction], Named] | None"

# Our executors that are distributions of their own, because they need what not everybody can install.
_OPTIONAL = MappingProxyType({"llvm": "irreps-llvm"})
_OURS = MappingProxyType({e.name: e for e in (ReferenceExecutor(), EdgeRowsExecutor(), XlaExecutor())})
EXECUTORS = plugins.Group("irreps.executors", interface=Executor, builtin=_OURS)


def executors() -> tuple[str, ...]:
    """Return the names of all executors, ours and those of plugins. Imports no plugin.

    Example:
        >>> from irreps_ops.compute import executors
        >>> {"reference", "xla"} <= set(executors())
        True
    """
    return tuple(sorted({*EXECUTORS.builtin, *plugins.discover(EXECUTORS)}))


def default_choice() -> Callable[[Contraction], Executor]:
    """Return the choice of those who do not choose: the cheapest of ours, or of those that a variable names.

    Ours are the executors of this package and, where irreps-llvm is installed, ``llvm``. The environment variable
    ``IRREPS_EXECUTORS`` names others, separated by commas, such as ``xla``.
    """
    return cheapest(*_default_names())


def _default_names() -> tuple[str, ...]:
    named = os.environ.get("IRREPS_EXECUTORS", "")
    return tuple(name.strip() for name in named.split(",") if name.strip()) or _ours()


@cached(maxsize=1)
def _ours() -> tuple[str, ...]:
    """Return the names of our executors that can be imported."""
    found = list(EXECUTORS.builtin)
    for plugin in plugins.discover(EXECUTORS).values():
        if _OPTIONAL.get(plugin.name) == plugin.distribution:
            try:
                plugins.load(EXECUTORS, plugin.name)
            except plugins.PluginLoadError as error:
                if "switched off" not in str(error):
                    warnings.warn(f"irreps does without the executor {plugin.name!r}: {error}", stacklevel=2)
            else:
                found.append(plugin.name)
    return tuple(found)


def may_take_whole_batches(choice: Choice) -> bool:
    """Tell, before there is a contraction, whether any executor to choose from takes whole batches."""
    if choice is None:
        choice = default_choice()
    wanted = choice.wanted if isinstance(choice, _Cheapest) else choice if isinstance(choice, tuple) else (choice,)
    return any(
        # Any other function of a contraction may choose one.
        (callable(each) and not isinstance(each, Executor))
        or getattr(plugins.load(EXECUTORS, each), "takes_whole_batches", False)
        for each in wanted
    )


def takes_whole_batches(contraction: Contraction, choice: Choice) -> bool:
    """Tell whether the executor of a contraction needs no tiles: it cuts the batch itself, and stores nothing for it.

    An executor says so by an attribute ``takes_whole_batches = True``. For others, operations process a large batch
    tile by tile, and convolutions compute their weights in the tile. This is decided while tracing, when the platform
    is not known yet, so it goes by JAX's default backend. On another platform results are the same, but slower.
    """
    if not may_take_whole_batches(choice):
        return False
    try:
        executor = choose(replace(contraction, platform=jax.default_backend()), choice)
    except ExecutorRefused:
        return False  # it may be able to compute tiles
    return getattr(executor, "takes_whole_batches", False)


def why_not(executor: Named, contraction: Contraction) -> str | None:
    """Return the reason why an executor cannot compute a contraction; None if it can.

    Args:
        executor: its name, or the object.
        contraction: the polynomial with sizes and dtypes.

    Returns:
        The reason in words, or None.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> from irreps_ops.compute import why_not
        >>> equations = jax.make_jaxpr(lambda x: irr.tensor_product(x, x))(irr.ones("1o")).eqns
        >>> contraction = next(e.params["contraction"] for e in equations if "contraction" in e.params)
        >>> why_not("xla", contraction) is None
        True
    """
    return plugins.load(EXECUTORS, executor).why_not(contraction)


def choose(contraction: Contraction, choice: Choice = None) -> Executor:
    """Choose the executor of a contraction.

    Args:
        contraction: the contraction.
        choice: a name or an executor; or several, of which the first capable one is taken; or a function of the
            contraction that returns a name or an executor, see :func:`cheapest`. None: see :func:`default_choice`.

    Raises:
        ExecutorRefused: none of the requested executors can compute it. (A ValueError.)
    """
    if choice is None:
        choice = default_choice()
    if contraction.is_symbolic:
        contraction = replace(contraction, exported=True)
    if callable(choice) and not isinstance(choice, Executor):
        choice = choice(contraction)
    refusals = []
    for wanted in choice if isinstance(choice, tuple) else (choice,):
        executor = plugins.load(EXECUTORS, wanted)
        refusal = executor.why_not(contraction)
        if refusal is None:
            return executor
        refusals.append(f"{executor.name}: {refusal}")
    raise _refused(contraction, refusals)


def _refused(contraction: Contraction, refusals: Sequence[str]) -> ExecutorRefused:
    reasons = "; ".join(refusals) or "no executor was requested"
    return ExecutorRefused(f"no requested executor can compute this ({reasons}):\n{contraction.explain()}")


@dataclass(frozen=True)
class _Cheapest:
    """See :func:`cheapest`. A class, so that equal choices are equal parameters of a jaxpr."""

    wanted: tuple[Named, ...]

    def __call__(self, contraction: Contraction) -> Executor:
        candidates = [plugins.load(EXECUTORS, wanted) for wanted in self.wanted]
        refusals = [(executor, executor.why_not(contraction)) for executor in candidates]
        capable = [executor for executor, refusal in refusals if refusal is None]
        if not capable:
            raise _refused(contraction, [f"{executor.name}: {refusal}" for executor, refusal in refusals])
        return min(capable, key=lambda executor: executor.cost(contraction.estimated()))


def cheapest(*executors: Named) -> Callable[[Contraction], Executor]:
    """Choose, for each contraction, the capable executor with the lowest estimated cost.

    Pass it as ``executor=`` or to :func:`use_executor`. Any other function of a contraction that returns a name or an
    executor works as well, and so overrules the cost estimates.

    Example:
        >>> from irreps_ops.compute import cheapest
        >>> both = cheapest("reference", "xla")
        >>> mine = lambda contraction: "reference" if contraction.batch < 10 else "xla"
    """
    return _Cheapest(executors)
