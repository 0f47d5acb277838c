"""Derivatives of equivariant functions, as irreps: gradient, divergence, curl, Hessian.

The indices of the Jacobian J[i, j] = dy_i / dx_j transform with the irreps of y and of x. So the Jacobian is reduced to
irreps as a tensor product of the two is, by an orthogonal change of basis.
"""

import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import Irrep, Irreps, IrrepsArray, clebsch_gordan, from_chunks
from irreps_ops._inputs._operands import floating, split_items
from irreps_ops.products._couplings import pairs

# e[i, j, k] = 1 for even permutations of 0, 1, 2, -1 for odd ones.
_LEVI_CIVITA = np.array([[[(i - j) * (j - k) * (k - i) / 2 for k in range(3)] for j in range(3)] for i in range(3)])


def grad(
    fun: Callable[..., Any], argnums: int = 0, has_aux: bool = False, regroup_output: bool = True
) -> Callable[..., Any]:
    r"""Return the gradient of an equivariant function, an equivariant function of the same arguments.

    The Jacobian :math:`\partial y_{ui} / \partial x_{vj}` of an irrep of y by one of x is reduced to irreps by
    :math:`\sqrt{2l + 1} \, C_{ijk}`, where C are the Clebsch-Gordan coefficients: an orthogonal change of basis, which
    preserves the norm. For a scalar y (0e) it is the usual gradient.

    Args:
        fun: returns an IrrepsArray y.
        argnums: the position of the argument x, an IrrepsArray.
        has_aux: whether `fun` returns a pair of y and auxiliary data instead of y.
        regroup_output: sort and merge the irreps. Otherwise they are in the order of the items of y, of x, and of their
            product.

    Returns:
        A function that returns an IrrepsArray of shape (*leading axes of y, *leading axes of x, dim of y * dim of x),
        for all pairs of leading indices: use :func:`irreps_core.vmap` for the derivatives of each row by itself. With
        `has_aux` it returns a pair of this and the auxiliary data. It uses reverse mode (:func:`jax.jacrev`).

    Raises:
        ValueError: `argnums` is not an integer.
        TypeError: (when called) x or y is not an IrrepsArray.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> irr.grad(lambda x: 0.5 * ic.norm(x, squared=True))(x)
        1x1o [1. 2. 3.]
        >>> irr.grad(lambda x: 2 * x)(x).irreps
        1x0e+1x1e+1x2e
    """
    argnums = _checked_position("grad", argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        jacobian, irreps_out, irreps_in, aux = _jacobian("grad", fun, argnums, has_aux, args, kwargs)
        items = _reduced(jacobian, irreps_out, irreps_in)
        return _result(items, jacobian, regroup_output, aux)

    return gradient


def divergence(fun: Callable[..., Any], argnums: int = 0, has_aux: bool = False) -> Callable[..., Any]:
    r"""Return the divergence of a vector field, as a function of the same arguments.

    .. math:: \sum_i \partial y_i / \partial x_i

    It is a scalar 0e if x and y have the same parity, otherwise 0o.

    Args:
        fun: returns an IrrepsArray of vectors y, such as "1o" or "2x1o + 1e".
        argnums: the position of the argument x, an IrrepsArray of vectors, such as "1o".
        has_aux: whether `fun` returns a pair of y and auxiliary data instead of y.

    Returns:
        A function that returns an IrrepsArray of shape (*leading axes of y, *leading axes of x, scalars), with a scalar
        for each vector of y and each of x, regrouped. The divergence of a flow of n points, with x and y of shape
        (n, 3), is the trace of the result, which has shape (n, n, 1).

    Raises:
        ValueError: `argnums` is not an integer, or (when called) x or y have irreps that are not vectors.
        TypeError: (when called) x or y is not an IrrepsArray.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> irr.divergence(lambda x: ic.norm(x, squared=True) * x)(x)  # 5 x.x
        1x0e [70.]
    """
    return _of_vectors("divergence", fun, argnums, has_aux, 0, lambda J: jnp.einsum("...uivi->...uv", J))


def curl(fun: Callable[..., Any], argnums: int = 0, has_aux: bool = False) -> Callable[..., Any]:
    r"""Return the curl of a vector field, as a function of the same arguments.

    .. math:: \sum_{jk} ε_{ijk} \, \partial y_k / \partial x_j

    It is a pseudovector 1e if x and y have the same parity (the curl of a velocity), otherwise 1o.

    Args:
        fun: as in :func:`divergence`.
        argnums: as there.
        has_aux: as there.

    Returns:
        A function that returns an IrrepsArray of shape (*leading axes of y, *leading axes of x, 3 * vectors), with a
        vector for each vector of y and each of x, regrouped.

    Raises:
        ValueError: as in :func:`divergence`.
        TypeError: as there.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> omega = ic.IrrepsArray("1e", jnp.array([0.0, 0.0, 1.0]))
        >>> irr.curl(lambda x: ic.cross(omega, x))(x)  # a rotation at the rate omega
        1x1e [0. 0. 2.]
    """

    def contract(J: jax.Array) -> jax.Array:
        e = jnp.asarray(_LEVI_CIVITA, J.dtype)
        return jnp.einsum("...ukvj,ijk->...uvi", J, e, precision=jax.lax.Precision.HIGHEST)

    return _of_vectors("curl", fun, argnums, has_aux, 1, contract)


def hessian(
    fun: Callable[..., Any], argnums: int = 0, has_aux: bool = False, regroup_output: bool = True
) -> Callable[..., Any]:
    r"""Return the second derivatives of an equivariant function as irreps, as a function of the same arguments.

    :math:`H_{ij} = \partial^2 y / \partial x_i \partial x_j` is symmetric. It is reduced to the irreps of the symmetric
    product of x with itself, those of :func:`tensor_square`, by an orthonormal change of basis, which preserves the
    norm. For a scalar function of a vector they are 0e, the Laplacian divided by :math:`\sqrt 3`, and 2e. If y is not
    scalar, these irreps are multiplied with those of y, as in :func:`grad`.

    Args:
        fun: returns an IrrepsArray y.
        argnums: the position of the argument x, an IrrepsArray.
        has_aux: whether `fun` returns a pair of y and auxiliary data instead of y.
        regroup_output: sort and merge the irreps.

    Returns:
        A function that returns an IrrepsArray of shape (*leading axes of y, irreps). If x has leading axes (many
        points), the shape is (*leading axes of y, *those of x, *those of x, irreps), for all pairs. Then i and j belong
        to different points, H need not be symmetric, and the irreps are those of the full product: 0e + 1e + 2e for
        points in space. Use :func:`irreps_core.vmap` for the derivatives of each row by itself.

    Raises:
        ValueError: `argnums` is not an integer.
        TypeError: (when called) x or y is not an IrrepsArray.

    Example:
        >>> import jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> x = ic.IrrepsArray("1o", jnp.array([1.0, 2.0, 3.0]))
        >>> irr.hessian(lambda x: ic.norm(x, squared=True))(x)  # twice the identity
        1x0e+1x2e [3.46 0.   0.   0.   0.   0.  ]
    """
    argnums = _checked_position("hessian", argnums)

    def second(*args: Any, **kwargs: Any) -> Any:
        H, irreps_out, irreps_in, aux = _jacobian("hessian", fun, argnums, has_aux, args, kwargs, order=2)
        several = args[argnums].ndim > 1
        inner = _reduced(H, irreps_in, irreps_in, symmetric=not several)
        irreps = Irreps([(mul, ir) for mul, ir, _ in inner])
        chunks = [chunk.reshape((*chunk.shape[:-2], mul * ir.dim)) for mul, ir, chunk in inner]
        J = jnp.concatenate([jnp.zeros((*H.shape[:-2], 0), H.dtype), *chunks], axis=-1)
        return _result(_reduced(J, irreps_out, irreps), J, regroup_output, aux)

    return second


def _checked_position(function: str, argnums: Any) -> int:
    try:
        return operator.index(argnums)
    except TypeError:
        raise ValueError(
            f"{function} differentiates by one argument: argnums must be an integer, got {argnums!r}"
        ) from None


def _jacobian(
    function: str,
    fun: Callable[..., Any],
    argnums: int,
    has_aux: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    order: int = 1,
) -> tuple[jax.Array, Irreps, Irreps, tuple[Any, ...]]:
    """Return derivatives of an order, of shape (*leading of y, *leading of x, ..., dim of y, dim of x, ...)."""
    x = args[argnums]
    if not isinstance(x, IrrepsArray):
        raise TypeError(f"{function} expects an IrrepsArray as argument {argnums}, got {type(x).__name__}")
    irreps_in, (start,) = x.irreps, floating(x)

    def of_array(array: jax.Array) -> tuple[IrrepsArray, Any]:
        given = list(args)
        given[argnums] = IrrepsArray(irreps_in, array)
        result = fun(*given, **kwargs)
        y, aux = result if has_aux else (result, None)
        if not isinstance(y, IrrepsArray):
            raise TypeError(
                f"{function} expects a function that returns an IrrepsArray, got {type(y).__name__}: "
                "convert scalars with irreps_core.as_irreps_array(y)"
            )
        return IrrepsArray(y.irreps, jnp.asarray(y.array)), aux

    differentiated = jax.jacrev(of_array, has_aux=True)
    if order == 2:
        differentiated = jax.jacfwd(differentiated, has_aux=True)
    # y is a pytree, so its derivative is an IrrepsArray with the irreps of y and the array of derivatives.
    y, aux = differentiated(start.array)
    first = y.array.ndim - order * x.ndim - 1
    axes = [first + n * x.ndim for n in range(order + 1)]  # the axes of the components of y, x, ...
    derivatives = jnp.moveaxis(y.array, axes, range(-order - 1, 0))
    return derivatives, y.irreps, irreps_in, (aux,) if has_aux else ()


def _reduced(
    z: jax.Array, irreps1: Irreps, irreps2: Irreps, symmetric: bool = False
) -> list[tuple[int, Irrep, jax.Array]]:
    """Reduce the last two axes to irreps: return multiplicities, irreps and data of shape (..., mul, 2l+1).

    Args:
        z: data of shape (..., irreps1.dim, irreps2.dim).
        irreps1: of the second to last axis.
        irreps2: of the last axis.
        symmetric: whether z is symmetric: each pair of different irreps is taken once, in the order of `tensor_square`.
    """
    found = []
    rows = jnp.split(z, np.cumsum([item.dim for item in irreps1])[:-1].tolist(), axis=-2) if irreps1 else []
    for i, ((mul1, ir1), row) in enumerate(zip(irreps1, rows, strict=True)):
        for j, ((mul2, ir2), block) in enumerate(zip(irreps2, split_items(row, irreps2), strict=True)):
            if symmetric and j < i:
                continue
            chunk = block.reshape((*z.shape[:-2], mul1, ir1.dim, mul2, ir2.dim))
            chunk = jnp.moveaxis(chunk, -3, -2)
            if not symmetric or i < j:
                flat = chunk.reshape((*z.shape[:-2], mul1 * mul2, ir1.dim, ir2.dim))
                found += _coupled(flat, ir1, ir2, math.sqrt(2) if symmetric else 1)
                continue
            u, v = pairs(mul1).T
            found += _coupled(chunk[..., u, v, :, :], ir1, ir1, math.sqrt(2))
            same = np.arange(mul1)
            found += [item for item in _coupled(chunk[..., same, same, :, :], ir1, ir1, 1) if item[1].l % 2 == 0]
    return [item for item in found if item[0]]


def _coupled(z: jax.Array, ir1: Irrep, ir2: Irrep, scale: float) -> list[tuple[int, Irrep, jax.Array]]:
    """Reduce data of shape (..., mul, dim1, dim2) to the irreps of the product."""
    found = []
    for ir in ir1 * ir2:
        c = jnp.asarray(scale * math.sqrt(ir.dim) * clebsch_gordan(ir1.l, ir2.l, ir.l), z.dtype)
        found.append((z.shape[-3], ir, jnp.einsum("...ij,ijk->...k", z, c, precision=jax.lax.Precision.HIGHEST)))
    return found


def _result(items: list[tuple[int, Irrep, jax.Array]], jacobian: jax.Array, regroup: bool, aux: tuple[Any, ...]) -> Any:
    irreps = Irreps([(mul, ir) for mul, ir, _ in items])
    out = from_chunks(irreps, [chunk for _, _, chunk in items], jacobian.shape[:-2], jacobian.dtype, backend=jnp)
    out = out.regroup() if regroup else out
    return (out, *aux) if aux else out


def _of_vectors(
    function: str,
    fun: Callable[..., Any],
    argnums: int,
    has_aux: bool,
    l: int,
    contract: Callable[[jax.Array], jax.Array],
) -> Callable[..., Any]:
    """Return a derivative of vector fields: a contraction of the Jacobian (..., vectors, 3, vectors, 3) to degree l."""
    argnums = _checked_position(function, argnums)

    def derived(*args: Any, **kwargs: Any) -> Any:
        jacobian, irreps_out, irreps_in, aux = _jacobian(function, fun, argnums, has_aux, args, kwargs)
        for name, irreps in (("x", irreps_in), ("y", irreps_out)):
            if any(ir.l != 1 for mul, ir in irreps if mul > 0):
                raise ValueError(
                    f"{function} expects vectors, 1o or 1e, got {name} of {irreps}: filter them, or use grad, which "
                    "takes any irreps"
                )
        leading = jacobian.shape[:-2]
        array = contract(jacobian.reshape((*leading, irreps_out.num_irreps, 3, irreps_in.num_irreps, 3)))
        parities = [a * b for a, b in itertools.product(_parities(irreps_out), _parities(irreps_in))]
        irreps = Irreps([(1, (l, p)) for p in parities])
        out = IrrepsArray(irreps, array.reshape((*leading, irreps.dim))).regroup()
        return (out, *aux) if aux else out

    return derived


def _parities(irreps: Irreps) -> list[int]:
    return [ir.p for mul, ir in irreps for _ in range(mul)]
