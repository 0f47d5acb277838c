"""The layer `VoxelConvolution`: a convolution of fields of irreps on a grid, with an equivariant kernel."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps, IrrepsArray, clebsch_gordan, converted, from_chunks, frozen, norm
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating, split_items
from irreps_ops.harmonics._spherical import spherical_harmonics
from irreps_ops.pointwise._radial import soft_one_hot_linspace
from irreps_ops.products._couplings import Coupling
from irreps_ops.products._linear import FunctionalLinear
from irreps_ops.products._weighted import FunctionalFullyConnectedTensorProduct
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, example_inputs

OfDegree: TypeAlias = "float | Mapping[int, float] | tuple[tuple[int, float], ...]"


def _steps(steps: Sequence[float]) -> tuple[float, ...]:
    return tuple(check.positive("VoxelConvolution", "steps", step) for step in steps)


def _padding(padding: str | Sequence[tuple[int, int]]) -> str | tuple[tuple[int, int], ...]:
    return padding if isinstance(padding, str) else tuple((int(low), int(high)) for low, high in padding)


def _by_degree(value: Any) -> Any:
    """Return a number as it is, and a mapping from degrees to numbers as sorted pairs, which can be hashed."""
    if isinstance(value, Mapping):
        value = tuple(value.items())
    return tuple(sorted((int(l), n) for l, n in value)) if isinstance(value, Sequence) else value


@frozen
class VoxelConvolution:
    r"""Convolution of a field of irreps on a grid of voxels with a learned equivariant kernel.

    .. math:: z(a) = \sum_b K(b - a) \, x(b), \qquad
              K(d) \, x = \frac 1 n \sum_{\text{paths}} \sum_k W_k \, f_k(|d|) \; x \otimes Y(d / |d|)

    The sum runs over voxels b, d is a displacement in units of length, and :math:`K(0)` is a linear map with its own
    weights. The :math:`f_k` are the "smooth_finite" bumps of :func:`soft_one_hot_linspace` between `relative_starts`
    and 1 times the radius, and n is the number of voxels of the kernel. The layer is exactly equivariant under the
    rotations and mirrors of the grid, and under others up to the error of sampling the field. Beyond the grid the field
    is zero.

    Args:
        irreps_out: irreps of the output; those that no path reaches are zero.
        irreps_sh: irreps of the spherical harmonics of the displacements, for example "0e + 1o + 2e".
        diameter: diameter of the kernel, in any unit of length.
        num_radial_basis: number of radial functions, for every degree of the harmonics, or a mapping from degrees.
        steps: distances between neighbouring voxels along x, y and z, in the same unit.
        relative_starts: where the radial functions begin, in units of the radius; a number or a mapping from degrees.
        padding: "SAME", "VALID" or three pairs of numbers of voxels, see :func:`jax.lax.conv_general_dilated`.

    Raises:
        ValueError: lengths that are not positive, harmonics of the wrong parity, a degree without a number, an unknown
            padding, or data with fewer than three axes of voxels.

    Example:
        >>> import jax
        >>> import irreps_ops as irr
        >>> x = irr.normal("0e + 1o", jax.random.key(0), (4, 4, 4))
        >>> layer = irr.VoxelConvolution("2x0e + 1o", "0e + 1o", diameter=5.0, num_radial_basis=2, steps=(1, 1, 1))
        >>> params = irr.init(layer, jax.random.key(1), x)
        >>> irr.apply(layer, params, x).shape
        (4, 4, 4, 5)
        >>> sorted(params)[0]
        'self-connection[0,0] 1x0e,2x0e'
    """

    irreps_out: IntoIrreps = converted(Irreps)
    irreps_sh: IntoIrreps = converted(Irreps)
    diameter: float = converted(partial(check.positive, "VoxelConvolution", "diameter"))
    num_radial_basis: int | Mapping[int, int] | tuple[tuple[int, int], ...] = converted(_by_degree)
    steps: Sequence[float] = converted(_steps)
    _: KW_ONLY
    relative_starts: OfDegree = converted(_by_degree, default=0.0)
    padding: str | Sequence[tuple[int, int]] = converted(_padding, default="SAME")

    def validate(self) -> None:
        """Refuse options that do not describe a kernel."""
        if len(self.steps) != 3:
            raise ValueError(f"VoxelConvolution expects steps along x, y and z, got {self.steps!r}")
        known = ("SAME", "SAME_LOWER", "VALID")
        if self.padding not in known if isinstance(self.padding, str) else len(self.padding) != 3:
            raise ValueError(f'VoxelConvolution expects padding "SAME", "VALID" or three pairs, got {self.padding!r}')
        harmonics = Irreps(self.irreps_sh)
        for _, ir in harmonics:
            check.count("VoxelConvolution", "num_radial_basis", _of_degree(self, "num_radial_basis", ir.l))
            if not _of_degree(self, "relative_starts", ir.l) < 1:
                raise ValueError(f"VoxelConvolution expects relative_starts below 1, got {self.relative_starts!r}")
        # Raises an error for harmonics of the wrong parity.
        jax.eval_shape(lambda v: spherical_harmonics(harmonics, v, True), example_inputs(3)[0])

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return an abstract field of one voxel for irreps, which determine the shapes of the parameters."""
        field, *rest = example_inputs(*irreps_in, dtype=dtype)
        if isinstance(field, IrrepsArray) and field.ndim == 1:
            shape = (1, 1, 1, field.irreps.dim)
            field = IrrepsArray(field.irreps, jax.ShapeDtypeStruct(shape, field.dtype))
        return (field, *rest)

    def __call__(self, scope: Scope, x: IrrepsArray, steps: Any = None) -> IrrepsArray:
        """Convolve a field.

        Args:
            scope: supplies the parameters.
            x: field of shape (..., nx, ny, nz, irreps.dim).
            steps: distances between voxels in place of those of the layer, three numbers that may be traced. The number
                of voxels of the kernel remains the same.

        Returns:
            Field of shape (..., nx, ny, nz, irreps_out.dim), where the padding determines nx, ny and nz.
        """
        (x,) = floating(x)
        if x.ndim < 4:
            raise ValueError(
                f"VoxelConvolution expects a field of shape (..., nx, ny, nz, irreps.dim), got {tuple(x.shape)}"
            )
        x = x.remove_zero_chunks().simplify()
        irreps_out = self._reached(x.irreps)
        leading, grid = x.shape[:-4], x.shape[-4:]
        out = jax.lax.conv_general_dilated(
            x.array.reshape(math.prod(leading), *grid),
            self.kernel(scope, x.irreps, steps=steps, dtype=x.dtype),
            window_strides=(1, 1, 1),
            padding=self.padding,
            dimension_numbers=("NXYZC", "XYZIO", "NXYZC"),
            precision=jax.lax.Precision.HIGHEST,
        )
        out = IrrepsArray(irreps_out, out.reshape(*leading, *out.shape[1:]))
        return _with_zeros(out, Irreps(self.irreps_out))

    def kernel(self, scope: Scope, irreps_in: IntoIrreps, *, steps: Any = None, dtype: Any = jnp.float32) -> jax.Array:
        """Return the kernel, whose middle voxel has the displacement 0.

        Args:
            scope: supplies the parameters.
            irreps_in: irreps of the field.
            steps: distances between voxels in place of those of the layer.
            dtype: dtype of the kernel.

        Returns:
            Array of shape (sx, sy, sz, irreps_in.dim, dim), where the last axis has only those of `irreps_out` that a
            path reaches.
        """
        irreps_in = Irreps(irreps_in)
        irreps_out = self._reached(irreps_in)
        displacements = self._displacements(steps, dtype)
        product = FunctionalFullyConnectedTensorProduct(irreps_in, Irreps(self.irreps_sh), irreps_out)
        blocks = self._blocks(scope, product, displacements)
        rows = [
            jnp.concatenate([jnp.zeros((len(displacements), mul * ir.dim, 0), dtype), *row], axis=-1)
            for (mul, ir), row in zip(irreps_in, blocks, strict=True)
        ]
        size = [2 * half + 1 for half in self._halves()]
        kernel = jnp.concatenate([jnp.zeros((len(displacements), 0, irreps_out.dim), dtype), *rows], axis=-2)
        kernel = kernel.reshape(*size, irreps_in.dim, irreps_out.dim) / math.prod(size)
        own = FunctionalLinear(irreps_in, irreps_out)
        weights = [
            scope.parameter(
                f"self-connection[{path.i_in},{path.i_out}] {irreps_in[path.i_in]},{irreps_out[path.i_out]}",
                path.path_shape,
                dtype,
                Normal(path.weight_std),
            )
            for path in own.weights
        ]
        centre = own.matrix(weights).astype(dtype) if weights else jnp.zeros(kernel.shape[3:], dtype)
        return kernel.at[*self._halves()].set(centre)

    def _reached(self, irreps_in: Irreps) -> Irreps:
        """Return the items of the output that a path reaches."""
        harmonics = Irreps(self.irreps_sh)
        reached = {ir for _, ir in irreps_in}
        reached |= {ir for _, a in irreps_in for _, b in harmonics for ir in a * b}
        return Irreps([(mul, ir) for mul, ir in Irreps(self.irreps_out) if ir in reached])

    def _halves(self) -> tuple[int, ...]:
        """Return the number of voxels on either side of the middle one, along each axis."""
        return tuple(math.floor(self.diameter / 2 / step) for step in self.steps)

    def _displacements(self, steps: Any, dtype: Any) -> jax.Array:
        """Return the displacements of the voxels of the kernel from its middle, of shape (voxels, 3)."""
        axes = [np.arange(-half, half + 1) for half in self._halves()]
        numbers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        if steps is None:
            return jnp.asarray(numbers * np.array(self.steps), dtype)
        steps = jnp.asarray(steps, dtype)
        if steps.shape != (3,):
            raise ValueError(f"VoxelConvolution expects three steps, got an array of shape {steps.shape}")
        return jnp.asarray(numbers, dtype) * steps[None]

    def _blocks(
        self, scope: Scope, product: FunctionalFullyConnectedTensorProduct, displacements: jax.Array
    ) -> list[list[jax.Array]]:
        """Return the kernel between each item of the input and of the output: (voxels, mul_in * dim, mul_out * dim)."""
        dtype = displacements.dtype
        harmonics = spherical_harmonics(product.irreps_in2, displacements, normalize=True)
        of_item = split_items(harmonics.array, product.irreps_in2)
        radial: dict[int, jax.Array] = {}
        terms: dict[tuple[int, int], list[tuple[jax.Array, jax.Array]]] = {}
        for ins in product.couplings:
            (_, ir_in), (mul, ir), (_, ir_out) = (
                irreps[i]
                for irreps, i in zip(
                    (product.irreps_in1, product.irreps_in2, product.irreps_out),
                    (ins.i_in1, ins.i_in2, ins.i_out),
                    strict=True,
                )
            )
            if ir.l not in radial:
                radial[ir.l] = self._radial(ir.l, displacements)
            w = self._parameter(scope, product, ins, dtype)
            w = jnp.tensordot(radial[ir.l], w, axes=1, precision=jax.lax.Precision.HIGHEST)  # [voxel, u, v, w]
            coefficients = jnp.asarray(ins.path_weight * clebsch_gordan(ir_in.l, ir.l, ir_out.l), dtype)
            y = of_item[ins.i_in2].reshape(len(displacements), mul, ir.dim)
            y = jnp.einsum("pvj,ijk->pvik", y, coefficients, precision=jax.lax.Precision.HIGHEST)
            terms.setdefault((ins.i_in1, ins.i_out), []).append((w, y))
        voxels = len(displacements)
        return [
            [_block(terms.get((i, o)), (voxels, a.dim, b.dim), dtype) for o, b in enumerate(product.irreps_out)]
            for i, a in enumerate(product.irreps_in1)
        ]

    def _radial(self, l: int, displacements: jax.Array) -> jax.Array:
        """Return the radial functions of harmonics of degree l, of shape (voxels, number)."""
        return soft_one_hot_linspace(
            norm(IrrepsArray("1o", displacements)).array[..., 0],
            start=float(_of_degree(self, "relative_starts", l)) * self.diameter / 2,
            end=self.diameter / 2,
            number=int(_of_degree(self, "num_radial_basis", l)),
            basis="smooth_finite",
            cutoff=True,
        )

    def _parameter(
        self, scope: Scope, product: FunctionalFullyConnectedTensorProduct, ins: Coupling, dtype: Any
    ) -> jax.Array:
        """Return the weights of a path, those of a fully connected product for each radial function."""
        ir = product.irreps_in2[ins.i_in2].ir
        name = (
            f"w[{ins.i_in1},{ins.i_in2},{ins.i_out}] "
            f"{product.irreps_in1[ins.i_in1]},{ir},{product.irreps_out[ins.i_out]}"
        )
        shape = (int(_of_degree(self, "num_radial_basis", ir.l)), *ins.path_shape)
        return scope.parameter(name, shape, dtype, Normal(ins.weight_std))


def _of_degree(layer: VoxelConvolution, name: str, l: int) -> Any:
    """Return the value for degree l of an argument that is a number or a mapping from degrees."""
    value = getattr(layer, name)
    if not isinstance(value, tuple):
        return value
    numbers = dict(value)
    if l not in numbers:
        raise ValueError(
            f"VoxelConvolution expects {name} for degree {l} of irreps_sh={layer.irreps_sh}, got {numbers}"
        )
    return numbers[l]


def _block(terms: Any, shape: tuple[int, int, int], dtype: Any) -> jax.Array:
    """Return the sum over paths of weights [voxel, u, v, w] times tensors [voxel, v, i, k], as matrices [u i, w k]."""
    if terms is None:
        return jnp.zeros(shape, dtype)
    weights = jnp.concatenate([w for w, _ in terms], axis=2)
    tensors = jnp.concatenate([y for _, y in terms], axis=1)
    block = jnp.einsum("puvw,pvik->puiwk", weights, tensors, precision=jax.lax.Precision.HIGHEST)
    return block.reshape(shape)


def _with_zeros(x: IrrepsArray, irreps: Irreps) -> IrrepsArray:
    """Return data of the items of `irreps`, with zeros for those that `x` does not have."""
    there = {ir for _, ir in x.irreps}
    chunks = iter(x.chunks)
    return from_chunks(irreps, [next(chunks) if ir in there else None for _, ir in irreps], x.shape[:-1], x.dtype)
