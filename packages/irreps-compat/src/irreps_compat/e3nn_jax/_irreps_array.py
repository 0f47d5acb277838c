"""`IrrepsArray` whose irreps compare as those of e3nn-jax do, and conversion of results to these types."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast

import jax
from jax import export

import irreps_core as ic

from ._irreps import Irrep, Irreps, MulIrrep

P = ParamSpec("P")


class _Meta(type(ic.IrrepsArray)):
    """Instances include those of irreps_core; former names of the class return this class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, ic.IrrepsArray)

    def __getattr__(cls, name: str) -> Any:
        return own_results(super().__getattr__(name))  # type: ignore[misc]  # hidden from type checkers


class IrrepsArray(ic.IrrepsArray, metaclass=_Meta):
    """:class:`irreps_core.IrrepsArray` with irreps that compare as those of e3nn-jax do.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> e3nn.IrrepsArray("1o", jnp.ones(3)).irreps != "1o"
        True
    """

    __slots__ = ()

    def _fill(self, irreps: ic.Irreps, array: Any, zero_flags: tuple[bool, ...]) -> None:
        super()._fill(Irreps(irreps), array, zero_flags)

    def __getattr__(self, name: str) -> Any:
        return own_results(super().__getattr__(name))  # type: ignore[misc]  # hidden from type checkers

    def __bool__(self) -> bool:
        """Return whether there are any rows: in e3nn-jax data has a length, so programs ask ``if not x``."""
        return self.array.shape[0] > 0

    # Private attributes of e3nn-jax that programs read.
    _chunks = property(lambda self: self.chunks)
    _zero_flags = property(lambda self: self.zero_flags)


def _with_keys(x: IrrepsArray) -> tuple[tuple[tuple[Any, Any]], ic.Irreps]:
    return ((jax.tree_util.GetAttrKey("array"), x.array),), x.irreps


def _unflatten(irreps: ic.Irreps, leaves: Any) -> IrrepsArray:
    (array,) = leaves
    return IrrepsArray._unchecked(irreps, array)


jax.tree_util.register_pytree_with_keys(IrrepsArray, _with_keys, _unflatten, lambda x: ((x.array,), x.irreps))


def own(x: Any) -> Any:
    """Convert irreps and data of irreps_core, also inside of tuples, lists and dicts, to the types of this package."""
    return _converted(x, IrrepsArray, Irreps, MulIrrep, Irrep)


def to_core(x: Any) -> Any:
    """Convert irreps and data of this package, also inside of tuples, lists and dicts, to the types of irreps_core.

    Functions of the library get these, because they compare irreps by the rules of the library.
    """
    return _converted(x, ic.IrrepsArray, ic.Irreps, ic.MulIrrep, ic.Irrep)


def _converted(x: Any, array_class: Any, irreps: Any, mul_irrep: Any, irrep: Any) -> Any:
    classes = array_class, irreps, mul_irrep, irrep
    match x:
        case ic.IrrepsArray():
            if type(x) is array_class:
                return x
            made = object.__new__(array_class)
            made._fill(irreps(x.irreps), x.array, x.zero_flags)
            return made
        case ic.Irreps():
            return irreps(x)
        case ic.MulIrrep():
            return mul_irrep(x)
        case ic.Irrep():
            return irrep(x)
    if type(x) in (tuple, list):
        return type(x)(_converted(each, *classes) for each in x)
    if type(x) is dict:
        return {key: _converted(value, *classes) for key, value in x.items()}
    return x


def own_results(function: Any) -> Any:
    """Make a function of irreps_core accept and return the types of this package; convert other values themselves."""
    if not callable(function) or isinstance(function, (type, ic.IrrepsArray)):
        return own(function)

    @wraps(function)
    def converted(*args: Any, **kwargs: Any) -> Any:
        return own(function(*to_core(args), **to_core(kwargs)))

    converted.__module__ = __package__ or ""  # its public home, not that of the function which it wraps
    return converted


def of_functions(transformation: Callable[P, Any]) -> Callable[P, Any]:
    """Make a transformation of functions, whose first argument is a function, use the types of this package."""

    @wraps(transformation)
    def converted(*args: P.args, **kwargs: P.kwargs) -> Any:
        fun: Any = args[0] if args else kwargs.pop("fun")

        @wraps(fun)
        def of_own(*xs: Any, **options: Any) -> Any:
            xs, options = _own_tree((xs, options))
            return fun(*xs, **options)

        transformed = cast(Any, transformation)(of_own, *args[1:], **kwargs)
        return wraps(fun)(lambda *xs, **options: _own_tree(transformed(*xs, **options)))

    converted.__module__ = __package__ or ""
    return converted


def _own_tree(tree: Any) -> Any:
    """Convert the data in any pytree."""
    return jax.tree.map(own, tree, is_leaf=lambda x: isinstance(x, ic.IrrepsArray))


# Last, because a name cannot be registered again by an import that repeats an interrupted one.
export.register_pytree_node_serialization(
    IrrepsArray,
    serialized_name="irreps_compat.e3nn_jax.IrrepsArray",
    serialize_auxdata=lambda irreps: repr(irreps).encode(),
    deserialize_auxdata=lambda data: Irreps(data.decode()),
)
