"""Conversions between irreps and Cartesian tensors such as stress and elasticity."""

from typing import TYPE_CHECKING, Any

import numpy as np

from irreps_core._inputs._caches import cached
from irreps_core._inputs._frozen import frozen
from irreps_core._inputs._namespace import array_namespace, as_float_arrays, matmul
from irreps_core.irreps._irreps import Irreps

from ._basis import stack_basis
from ._index_symmetry import parse_symmetry
from ._symmetric_basis import symmetric_basis

if TYPE_CHECKING:
    from irreps_core.arrays._irreps_array import IrrepsArray


@frozen(slots=True)
class CartesianTensor:
    """A kind of Cartesian tensor: the number of its indices x, y, z, and their symmetry.

    The indices are vectors (1o). The change of basis is orthonormal: the norm of the irreps is the norm of the tensor.
    The copies of an irrep are found by coupling the indices from left to right; their order and signs depend on the
    formula alone. A CartesianTensor is immutable, and equals another one with the same formula.

    Args:
        formula: one letter for each index, and the permutations of them that are equal up to a sign: ``"ij"`` (any
            matrix), ``"ij=ji"`` (stress), ``"ij=-ji"`` (rotation rate), ``"ijk=ikj"`` (piezoelectric),
            ``"ijkl=jikl=klij"`` (elasticity).

    Attributes:
        formula: the formula.
        indices: its letters, ``"ij"``.
        irreps: the irreps of the tensors that obey the formula.

    Raises:
        TypeError: the formula is not a string.
        ValueError: the formula is malformed, or its terms do not have the same indices; or (when the irreps are
            computed) the change of basis would take more than 128 MiB.

    Example:
        >>> import numpy as np
        >>> from irreps_core import CartesianTensor
        >>> stress = CartesianTensor("ij=ji")
        >>> stress.irreps
        1x0e+1x2e
        >>> x = stress.to_irreps(np.diag([1.0, 2.0, 3.0]))  # trace / sqrt(3), then the deviator
        >>> x.array.round(3).tolist()
        [3.464, 0.0, 0.0, 0.0, 0.0, 1.414]
        >>> float(stress.from_irreps(x)[1, 1])
        2.0
        >>> CartesianTensor("ijkl=jikl=klij").irreps
        2x0e+2x2e+1x4e
    """

    formula: str

    def validate(self) -> None:
        """Check the formula."""
        parse_symmetry(self.formula)

    @property
    def indices(self) -> str:
        """The letters of the indices."""
        return _change_of_basis(self.formula)[0]

    @property
    def irreps(self) -> Irreps:
        """The irreps of the tensors that obey the formula."""
        return _change_of_basis(self.formula)[1]

    @property
    def change_of_basis(self) -> np.ndarray:
        """The tensors Q of the basis, :math:`T = Q x` and :math:`x = Q^T T`.

        Read-only float64 array of shape (3, ..., 3, irreps.dim).

        Example:
            >>> from irreps_core import CartesianTensor
            >>> CartesianTensor("ij=-ji").change_of_basis[..., 2].round(3).tolist()  # about z
            [[0.0, 0.707, 0.0], [-0.707, 0.0, 0.0], [0.0, 0.0, 0.0]]
        """
        return _change_of_basis(self.formula)[2]

    def to_irreps(self, tensor: Any) -> "IrrepsArray":
        """Convert tensors to irreps. Any part that does not obey the formula is projected out.

        Args:
            tensor: NumPy or JAX array of shape (..., 3, ..., 3), one 3 for each index.

        Returns:
            IrrepsArray of shape (..., irreps.dim), of the same kind and dtype.

        Raises:
            ValueError: the last axes do not have length 3, one for each index.

        Example:
            >>> import numpy as np
            >>> from irreps_core import CartesianTensor
            >>> CartesianTensor("ij=-ji").to_irreps(np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]))
            1x1e [1.414 0.    0.   ]
        """
        from irreps_core.arrays._irreps_array import IrrepsArray  # imports JAX, where it is installed

        (tensor,) = as_float_arrays(tensor)
        n = len(self.indices)
        if tensor.ndim < n or tensor.shape[tensor.ndim - n :] != (3,) * n:
            raise ValueError(
                f"{self!r} expects an array of shape (...{', 3' * n}), one axis for each index, got {tensor.shape}"
            )
        leading = tensor.shape[: tensor.ndim - n]
        q = array_namespace(tensor).asarray(self.change_of_basis.reshape(3**n, -1), dtype=tensor.dtype)
        return IrrepsArray(self.irreps, matmul(tensor.reshape(*leading, 3**n), q))

    def from_irreps(self, x: Any) -> Any:
        """Convert irreps to tensors: the inverse of :meth:`to_irreps` on tensors that obey the formula.

        Args:
            x: IrrepsArray of the irreps of this kind of tensor, or a NumPy or JAX array of shape
                (..., irreps.dim).

        Returns:
            Array of shape (..., 3, ..., 3), of the same kind and dtype.

        Raises:
            ValueError: the irreps are others, or the last axis does not have length irreps.dim.

        Example:
            >>> import numpy as np
            >>> from irreps_core import CartesianTensor
            >>> CartesianTensor("ij=ji").from_irreps(np.array([3**0.5, 0, 0, 0, 0, 0]))
            array([[1., 0., 0.],
                   [0., 1., 0.],
                   [0., 0., 1.]])
        """
        irreps = getattr(x, "irreps", self.irreps)
        (array,) = as_float_arrays(getattr(x, "array", x))
        if irreps.simplify() != self.irreps or array.shape[-1:] != (self.irreps.dim,):
            raise ValueError(
                f"{self!r} expects {self.irreps}, of shape (..., {self.irreps.dim}), "
                f"got {irreps} of shape {array.shape}"
            )
        n = len(self.indices)
        q = array_namespace(array).asarray(self.change_of_basis.reshape(3**n, -1).T, dtype=array.dtype)
        return matmul(array, q).reshape(*array.shape[:-1], *(3,) * n)


@cached(maxsize=256)
def _change_of_basis(formula: str) -> tuple[str, Irreps, np.ndarray]:
    indices, group = parse_symmetry(formula)
    n = len(indices)
    irreps, basis = stack_basis(symmetric_basis([Irreps("1o")] * n, group), (3,) * n)
    return indices, irreps, basis
