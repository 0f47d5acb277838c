"""Every function has the values of e3nn-jax in float64, where that is installed, in float32 and float64.

Each case is a function of the package, irreps_compat.e3nn_jax or e3nn_jax, and of a dtype. ``DIFFERENT`` lists the
functions that differ on purpose, with the reasons; docs/coming-from-e3nn-jax.md has the figures.
"""

import importlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_compat.e3nn_jax as compat

e3nn_jax = pytest.importorskip("e3nn_jax")

LINES = (Path(__file__).parent / "e3nn_jax_names.txt").read_text().split("# Names of earlier")[0].splitlines()
NAMES = {line.split(":")[0] for line in LINES if line[0] != "#"}
TOLERANCE = {jnp.float32: 1e-6, jnp.float64: 1e-13}

NO_VALUES = {"MulIrrep", "config"}
DIFFERENT = {
    "legendre": "in e3nn-jax a module, which hides the function",
    "rand_matrix": "another distribution of the same key: ours is uniform by a normal quaternion",
    "rand_angles": "as rand_matrix",
    "rand_axis_angle": "as rand_matrix",
    "rand_log_coordinates": "as rand_matrix",
    "rand_quaternion": "as rand_matrix",
}
# These draw other numbers in float32.
RANDOM = {"normal"}
# `.ci/run` leaves these to `tests/environments.sh peers`.
SLOW = {"Irrep", "Irreps", "IrrepsArray", "SphericalSignal", "from_s2grid", "normal", "radius_graph"}
SLOW |= {"scalar_activation", "tensor_product_with_spherical_harmonics", "to_s2grid"}


def numbers(seed, *shape):
    """Random numbers that are the same in both dtypes."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def data(e, F, irreps, *shape, seed=0):
    irreps = e.Irreps(irreps)
    return e.IrrepsArray(irreps, jnp.asarray(numbers(seed, *shape, irreps.dim), F))


def array(F, *shape, seed=0):
    return jnp.asarray(numbers(seed, *shape), F)


def angles(F, seed=0):
    return tuple(jnp.asarray(x, F) for x in np.random.default_rng(seed).uniform(0.2, 2.9, (3, 5)).astype(np.float32))


def matrix(F, seed=0):
    return compat.angles_to_matrix(*angles(F, seed))


def quaternion(F, seed=0):
    return compat.angles_to_quaternion(*angles(F, seed))


def axis_angle(F, seed=0):
    return compat.angles_to_axis_angle(*angles(F, seed))


def logs(F, seed=0):
    """Logarithmic coordinates of norm below pi that are exact in float32."""
    return jnp.asarray(np.random.default_rng(seed).uniform(-1.7, 1.7, (5, 3)).astype(np.float32), F)


def single(rotation):
    """The first of many rotations: e3nn-jax computes the angle between two rotations only without leading axes."""
    return tuple(x[0] for x in rotation)


def rotation_of(e, F, name, value):
    """Matrices, because the angles or quaternion of a rotation are not unique."""
    value = value if isinstance(value, tuple) else (value,)
    return value[0] if name == "matrix" else getattr(e, f"{name}_to_matrix")(*value)


PARAMETRISATIONS = {
    "angles": angles,
    "matrix": lambda F, seed=0: (matrix(F, seed),),
    "quaternion": lambda F, seed=0: (quaternion(F, seed),),
    "axis_angle": axis_angle,
    "log_coordinates": lambda F, seed=0: (logs(F, seed),),
}
CASES = {}
for source, make in PARAMETRISATIONS.items():
    for target in PARAMETRISATIONS:
        CASES[f"{source}_to_{target}"] = lambda e, F, s=source, t=target, make=make: rotation_of(
            e, F, t, getattr(e, f"{s}_to_{t}")(*make(F))
        )
    CASES[f"compose_{source}"] = lambda e, F, s=source, make=make: rotation_of(
        e, F, s, getattr(e, f"compose_{s}")(*make(F), *make(F, 1))
    )
    CASES[f"inverse_{source}"] = lambda e, F, s=source, make=make: rotation_of(
        e, F, s, getattr(e, f"inverse_{s}")(*make(F))
    )
    CASES[f"identity_{source}"] = lambda e, F, s=source: getattr(e, f"identity_{s}")((2,), F)
    CASES[f"rotation_angle_from_{source}"] = lambda e, F, s=source, make=make: getattr(e, f"rotation_angle_from_{s}")(
        *single(make(F)), *(() if s == "matrix" else single(make(F, 1)))
    )
CASES = {name: case for name, case in CASES.items() if name in NAMES}

MIXED = "3x0e + 2x0o + 2x1o + 2e"
DST = jnp.array([2, 0, 0, 3])
NEL = jnp.array([2, 0, 1])
SOFT = {"start": 0.0, "end": 2.0, "number": 4}


def chunks(e, F):
    return e.from_chunks("2x0e + 1o + 0o", [array(F, 3, 2, 1), None, array(F, 3, 1, 1)], (3,))


CASES |= {
    "matrix_x": lambda e, F: e.matrix_x(array(F, 3)),
    "matrix_y": lambda e, F: e.matrix_y(array(F, 3)),
    "matrix_z": lambda e, F: e.matrix_z(array(F, 3)),
    "angles_to_xyz": lambda e, F: e.angles_to_xyz(*angles(F)[:2]),
    "xyz_to_angles": lambda e, F: e.xyz_to_angles(array(F, 4, 3)),
    "su2_clebsch_gordan": lambda e, F: [e.su2_clebsch_gordan(0.5, 1, 1.5), e.su2_clebsch_gordan(2, 1, 2)],
    "su2_generators": lambda e, F: [e.su2_generators(1.5), e.su2_generators(2)],
    "clebsch_gordan": lambda e, F: [e.clebsch_gordan(1, 2, 3), e.clebsch_gordan(2, 2, 2), e.clebsch_gordan(3, 1, 2)],
    "generators": lambda e, F: [e.generators(l) for l in range(4)],
    "from_chunks": chunks,
    "as_irreps_array": lambda e, F: e.as_irreps_array(array(F, 2, 3)),
    "zeros": lambda e, F: e.zeros("0e + 1o", (2,), F),
    "zeros_like": lambda e, F: e.zeros_like(data(e, F, MIXED, 2)),
    "ones": lambda e, F: e.ones("0e + 1o", (2,), F),
    "ones_like": lambda e, F: e.ones_like(data(e, F, MIXED, 2)),
    "concatenate": lambda e, F: (
        [e.concatenate([data(e, F, MIXED, 2), chunks(e, F)[:2]], axis=a) for a in (-1, 1)]
        + [e.concatenate([chunks(e, F), chunks(e, F)], axis=0)]
    ),
    "stack": lambda e, F: [e.stack([chunks(e, F), chunks(e, F)], axis=a) for a in (0, 1)],
    "mean": lambda e, F: [e.mean(data(e, F, MIXED, 3, 2), axis=a) for a in (None, 0, -1, (0, 2))],
    "sum": lambda e, F: [e.sum(data(e, F, MIXED, 3, 2), axis=a, keepdims=True) for a in (None, 0, (0, 1))],
    "norm": lambda e, F: [
        e.norm(data(e, F, MIXED, 3), squared=squared, per_irrep=each)
        for squared in (True, False)
        for each in (True, False)
    ],
    "normal": lambda e, F: [
        e.normal("2x0e + 2x1o", jax.random.PRNGKey(0), (3,), dtype=F, **options)
        for options in ({}, {"normalize": True}, {"normalization": "norm"})
    ],
    "dot": lambda e, F: [e.dot(data(e, F, MIXED, 3), data(e, F, MIXED, 3, seed=1), each) for each in (True, False)],
    "cross": lambda e, F: e.cross(data(e, F, "2x1o + 1e", 3), data(e, F, "1o + 2x1e", 3, seed=1)),
    "where": lambda e, F: e.where(jnp.array([[True], [False]]), data(e, F, MIXED, 2), data(e, F, MIXED, 2, seed=1)),
    "spherical_harmonics": lambda e, F: [
        e.spherical_harmonics(irreps, data(e, F, "1o", 5), normalize, normalization)
        for irreps in ([0, 1, 2, 3, 4], "2e + 2x0e + 1o")
        for normalize in (True, False)
        for normalization in ("component", "norm", "integral")
    ],
    "sh": lambda e, F: [e.sh([1, 3, 5], array(F, 5, 3), True), e.sh("0e + 2e", array(F, 5, 3), False, "integral")],
    "sus": lambda e, F: e.sus(array(F, 9)),
    "soft_one_hot_linspace": lambda e, F: (
        [
            e.soft_one_hot_linspace(array(F, 9), basis=basis, cutoff=cutoff, **SOFT)
            for basis in ("gaussian", "cosine", "smooth_finite", "fourier")
            for cutoff in (True, False)
        ]
        + [e.soft_one_hot_linspace(array(F, 9), basis="cosine", start_zero=True, end_zero=False, **SOFT)]
    ),
    "bessel": lambda e, F: e.bessel(jnp.abs(array(F, 9)), 4, 3.0),
    "poly_envelope": lambda e, F: [e.poly_envelope(*n, 2.0)(jnp.abs(array(F, 9))) for n in ((0, 2), (5, 2), (3, 4))],
    "soft_envelope": lambda e, F: e.soft_envelope(jnp.abs(array(F, 9)), 2.0, 3.0, 1.5),
    "tensor_product": lambda e, F: [
        e.tensor_product(data(e, F, MIXED, 3), data(e, F, "1o + 2x2e", 3, seed=1), **options)
        for options in ({}, {"regroup_output": False, "irrep_normalization": "norm"}, {"filter_ir_out": ["0e", "1o"]})
    ],
    "elementwise_tensor_product": lambda e, F: e.elementwise_tensor_product(
        data(e, F, "2x0e + 1o", 3), data(e, F, "1o + 2x2e", 3, seed=1)
    ),
    "tensor_square": lambda e, F: [e.tensor_square(data(e, F, MIXED, 3), normalized_input=n) for n in (True, False)],
    "tensor_product_with_spherical_harmonics": lambda e, F: e.tensor_product_with_spherical_harmonics(
        data(e, F, "2x0e + 1o", 3), data(e, F, "1o", 3, seed=1), 1
    ),
    "grad": lambda e, F: [
        e.grad(lambda x: e.tensor_product(x, x, filter_ir_out="0e + 1e"), regroup_output=regroup)(data(e, F, "0e + 1o"))
        for regroup in (True, False)
    ],
    "soft_odd": lambda e, F: e.soft_odd(array(F, 9)),
    "scalar_activation": lambda e, F: [
        e.scalar_activation(data(e, F, MIXED, 5)),
        e.scalar_activation(data(e, F, "2x0e + 0o + 1o", 5), [jax.nn.silu, jnp.abs, None], normalize_act=False),
    ],
    "normalize_function": lambda e, F: [e.normalize_function(f)(array(F, 9)) for f in (jnp.tanh, jax.nn.silu, jnp.cos)],
    "norm_activation": lambda e, F: [
        e.norm_activation(data(e, F, "2x1o + 2e", 5), [jax.nn.sigmoid, None], normalization=n)
        for n in ("component", "norm")
    ],
    "soft_normalization": lambda e, F: e.soft_normalization(data(e, F, MIXED, 5), 2.0),
    "gate": lambda e, F: [e.gate(data(e, F, irreps, 5)) for irreps in ("6x0e + 2x1o + 1e", "3x0e + 4x0o + 2x1o + 2e")],
    "index_add": lambda e, F: e.index_add(DST, data(e, F, MIXED, 4), out_dim=4),
    "scatter_sum": lambda e, F: [
        e.scatter_sum(data(e, F, MIXED, 4), dst=DST, output_size=4),
        e.scatter_sum(array(F, 4, 2), dst=DST, map_back=True),
        e.scatter_sum(array(F, 3, 2), nel=NEL),
    ],
    "scatter_mean": lambda e, F: [
        e.scatter_mean(data(e, F, MIXED, 4), dst=DST, output_size=4),
        e.scatter_mean(array(F, 3, 2), nel=NEL),  # with map_back, e3nn-jax asks for jax.tree_map, which is gone
    ],
    "scatter_max": lambda e, F: e.scatter_max(data(e, F, "3x0e", 4), dst=DST, output_size=4, initial=-2.0),
    "radius_graph": lambda e, F: [
        e.radius_graph(points, 1.5, **options)
        for points in (array(F, 6, 3), data(e, F, "1o", 6))
        for options in ({}, {"loop": True, "size": 20, "fill_src": 6, "fill_dst": 7}, {"batch": jnp.arange(6) // 3})
    ],
    "vmap": lambda e, F: e.vmap(lambda x: e.tensor_product(x, x))(chunks(e, F)),
}


# Classes, and functions of modules


def rotations(x, F):
    """Representation matrices of one rotation in all its parametrisations."""
    R = compat.angles_to_matrix(*array(F, 3))
    q, (axis, angle), log = (
        compat.matrix_to_quaternion(R),
        compat.matrix_to_axis_angle(R),
        compat.matrix_to_log_coordinates(R),
    )
    return [
        x.D_from_angles(*array(F, 3), 1),
        x.D_from_matrix(-R),
        x.D_from_quaternion(q, 1),
        x.D_from_axis_angle(axis, angle),
        x.D_from_log_coordinates(log, 1),
        x.generators(),
    ]


def irrep(e, F):
    x, y = e.Irrep("2e"), e.Irrep(1, -1)
    some = [ir for ir, _ in zip(e.Irrep.iterator(), range(9), strict=False)]
    strings = [repr(ir) for ir in [*some, *e.Irrep.iterator(2), *(x * y), *sorted([y, x])]]
    return [*strings, x.dim, x.l, x.p, x.is_scalar(), (2 * y).dim, repr(x + y), *rotations(y, F)]


def irreps(e, F):
    x = e.Irreps("2x1o + 0e + 3x0e + 0x2e + 1o")
    order = x.sort()
    made = [
        *(x.regroup(), x.simplify(), order.irreps, x.unify(), x.remove_zero_multiplicities(), x.repeat(2)),
        *(x.filter("1o"), x.filter(drop="0e"), x.filter(lmax=0), x.set_mul(2), x * 2, 2 * x, x + "0e", "0e" + x),
        *(x[1:3], x.slice_by_mul[1:4], x.slice_by_dim[3:9], x.slice_by_chunk[:2], x // 1),
        *(e.Irreps.spherical_harmonics(3), e.Irreps.spherical_harmonics(2, p=1)),
    ]
    numbers = [x.dim, x.num_irreps, x.ls, x.lmax, x.mul_gcd, x.is_scalar(), x.count("1o"), *order.p, *order.inv]
    slices = [(s.start, s.stop) for s in x.slices()]
    return [*map(repr, made), *numbers, slices, "1o" in x, *rotations(x.regroup(), F)]


def irreps_array(e, F):
    x = data(e, F, MIXED, 2, 3)
    turn = array(F, 3)
    R = compat.angles_to_matrix(*turn)
    scalars, each = data(e, F, "0e", 2, 3), data(e, F, f"{x.irreps.num_irreps}x0e", 2, 3)
    y = data(e, F, "2x0e + 1o + 2x0e + 3x1o", 4, 2)
    return [
        *(y.regroup(), y.simplify(), y.sort(), y.unify(), y.rechunk("0e + 0e + 1o + 2x0e + 2x1o + 1o")),
        *(x.filter("1o + 0e"), x.filter(drop="0e"), x.filter(lmax=1), x.filter(keep="2e")),
        *(x.slice_by_mul[1:6], x.slice_by_dim[3:11], x.slice_by_chunk[1:3]),
        *(x[..., "2x1o"], x[0, :, 3:5], x[1], x[:, None], x.reshape((6, -1)), x.reshape((3, 2, -1))),
        *(y.axis_to_mul(), y.axis_to_irreps(), y.axis_to_mul().mul_to_axis(2)),
        *(x[:1].broadcast_to((4, 3, -1)), x.extend_with_zeros("1e + " + MIXED), x.astype(jnp.float32), x.zero_flags),
        *(x.at[0].set(x[1]), x.at[1, 1:].add(x[0, 1:]), chunks(e, F).remove_zero_chunks(), x.shape, x.ndim),
        *(x + x, x - 2.0 * x, -x, x * scalars.array, x * each, x / scalars.array, x * jnp.ones((2, 3, 1), F), x / 2.0),
        *(scalars**2.0, scalars + 1.0, 1.0 - scalars, x == x),
        *(x.transform_by_angles(*turn, 1), x.transform_by_angles(*turn, inverse=True), x.transform_by_matrix(-R)),
        x.transform_by_quaternion(compat.matrix_to_quaternion(R), 1),
        x.transform_by_axis_angle(*compat.matrix_to_axis_angle(R)),
        x.transform_by_log_coordinates(compat.matrix_to_log_coordinates(R), 1),
        *x.chunks,
    ]


def permutations(e, F):
    p, q = e.perm.from_int(7, 4), e.perm.from_int(13, 4)
    group = {(0, 1, 2), (1, 2, 0), (2, 0, 1)}
    return [
        *(p, e.perm.compose(p, q), e.perm.inverse(p), e.perm.identity(4), e.perm.to_int(q), e.perm.sign(p)),
        *(sorted(e.perm.group(3)), sorted(e.perm.germinate({(1, 2, 0)})), e.perm.is_group(group)),
        e.perm.is_perm((1, 1)),
        repr(sorted(map(sorted, e.perm.to_cycles(p)))),
    ]


def legacy(e, F):
    """Both products: with weights in a list, mapped, and as a matrix."""
    module = importlib.import_module(f"{e.__name__}.legacy")
    tp = module.FunctionalFullyConnectedTensorProduct(
        "2x0e + 1o", "0e + 1o", "2x0e + 1o + 1e", path_normalization="path"
    )
    w = [array(F, *ins.path_shape, seed=i) for i, ins in enumerate(tp.instructions)]
    x, y = data(e, F, "2x0e + 1o", 3), data(e, F, "0e + 1o", 3, seed=1)
    own = module.FunctionalTensorProduct(
        "2x1o", "2x1o", "2x0e + 2x1e", [(0, 0, 0, "uvu", True), (0, 0, 1, "uuu", False, 2.0)], in1_var=[2.0]
    )
    a, b = data(e, F, "2x1o"), data(e, F, "2x1o", seed=1)
    about = [(i.path_shape, i.num_elements, i.path_weight, i.weight_std) for i in tp.instructions]
    return [
        jax.vmap(tp.left_right, (None, 0, 0), 0)(w, x, y),
        tp.right(w, y[0]),
        own.left_right([array(F, 2, 2)], a, b),
        own.output_mask,
        about,
    ]


CASES |= {
    "Irrep": irrep,
    "Irreps": irreps,
    "IrrepsArray": irreps_array,
    "perm": permutations,
    "legacy": legacy,
}

# Signals

QUADRATURES = ("soft", "gausslegendre")
NORMALIZATIONS = ("integral", "component", "norm")


def signal(e, F, *shape, lmax=2, quadrature="soft", seed=0, p_val=1):
    x = data(e, F, e.s2_irreps(lmax, p_val), *shape, seed=seed)
    return e.to_s2grid(x, 6, 7, quadrature=quadrature)


def spherical_signal(e, F):
    """All methods except `sample`, which uses a key differently, and `find_peaks`, which fails in e3nn-jax."""
    f, g = signal(e, F, 2), signal(e, F, 2, seed=1)
    odd, single = signal(e, F, p_val=-1), signal(e, F)
    made = e.SphericalSignal.from_function(lambda v: v[0] * v[1] + 1, 4, 5, "gausslegendre", p_val=-1, dtype=F)
    zeros = e.SphericalSignal.zeros(4, 5, "soft", p_val=-1, p_arg=1, dtype=F)
    turn = array(F, 3)
    turned = [
        f.transform_by_angles(*turn, lmax=2),
        f.transform_by_matrix(compat.angles_to_matrix(*turn), lmax=2),
        f.transform_by_quaternion(compat.angles_to_quaternion(*turn), lmax=2),
        f.transform_by_axis_angle(*compat.angles_to_axis_angle(*turn), lmax=2),
    ]
    grid = [f.grid_y, f.grid_alpha, f.grid_vectors, f.quadrature_weights, f.shape, f.ndim, f.grid_resolution]
    plot = {"translation": turn, "radius": 2.0, "scale_radius_by_amplitude": True}
    drawn = [
        single.pad_to_plot(),
        single.pad_to_plot(**plot),
        single.pad_to_plot(**plot, normalize_radius_by_max_amplitude=True),
        [single.plotly_surface(radius=3.0)[k] for k in ("x", "y", "z", "surfacecolor")],
    ]
    scalar = data(e, F, "0e")
    sums = [f + g, f - g, -f, f * g, f / 2.0, odd * scalar, odd * odd, odd * single, f[1]]
    applied = [
        f.apply(jnp.tanh),
        odd.apply(jnp.sin),
        f.replace_values(g.grid_values),
        f.resample(5, 7, 2, "gausslegendre"),
    ]
    return [made, zeros, *turned, *grid, drawn, sums, applied, f.integrate(), odd.integrate()]


def so3_signal(e, F):
    """All methods except `sample`, in which e3nn-jax omits the volume element of the angle."""

    def function(R):
        return 1 + R[0, 1] + R[0, 0] * R[1, 2] ** 2

    f = e.SO3Signal.from_function(function, 4, 5, 6, "soft", dtype=F)
    g = f.apply(jnp.exp)
    rotation, places = f.argmax()
    grid = [f.grid_theta, f.shape, f.grid_resolution, f.batch_dims, (f.res_theta, f.res_beta, f.res_alpha)]
    return [
        *(x.s2_signals for x in (f, g, -f, f * g, 2.0 * f, f / 2.0, f.replace_values(g.grid_values))),
        f.grid_values,
        *grid,
        f.integrate(),
        f.integrate_over_angles(),
        rotation,
        *places,
    ]


CASES |= {
    "s2_irreps": lambda e, F: [repr(e.s2_irreps(3)), repr(e.s2_irreps(2, -1, 1)), repr(e.s2_irreps(2, p_val=-1))],
    "to_s2grid": lambda e, F: (
        [
            e.to_s2grid(data(e, F, e.s2_irreps(3), 2), 8, 9, quadrature=q, normalization=n, fft=fft)
            for q, n, fft in zip((*QUADRATURES, "soft"), NORMALIZATIONS, (True, False, True), strict=True)
        ]
        + [e.to_s2grid(data(e, F, "2e"), 6, 7, quadrature="soft", p_val=1, p_arg=-1)]
    ),
    "from_s2grid": lambda e, F: (
        [
            e.from_s2grid(signal(e, F, 2, quadrature=q), e.s2_irreps(2), normalization=n, fft=fft)
            for q, n, fft in zip((*QUADRATURES, "soft"), NORMALIZATIONS, (True, False, True), strict=True)
        ]
        + [e.from_s2grid(signal(e, F), "1o", normalization="norm", lmax_in=2)]
    ),
    "to_s2point": lambda e, F: [
        e.to_s2point(data(e, F, e.s2_irreps(2, val, arg), 2), data(e, F, v, 3), normalization=n)
        for (val, arg, v), n in zip(((1, -1, "1o"), (-1, -1, "1o"), (1, 1, "1e")), NORMALIZATIONS, strict=True)
    ],
    "s2_dirac": lambda e, F: [e.s2_dirac(array(F, 3), 3), e.s2_dirac(data(e, F, "1e"), 2, p_arg=1)],
    "get_s2fft_grid_resolution": lambda e, F: [e.get_s2fft_grid_resolution(3)],
    "legendre_transform_to_s2grid": lambda e, F: [
        e.legendre_transform_to_s2grid(array(F, 2, 4), 6, quadrature=q, normalization=n)
        for q, n in zip((*QUADRATURES, "soft"), NORMALIZATIONS, strict=True)
    ],
    "legendre_transform_from_s2grid": lambda e, F: [
        e.legendre_transform_from_s2grid(array(F, 2, 8), 3, 8, quadrature=q, normalization=n)
        for q, n in zip((*QUADRATURES, "soft"), NORMALIZATIONS, strict=True)
    ],
    "betas_to_spherical_signal": lambda e, F: e.betas_to_spherical_signal(array(F, 4), 5, quadrature="gausslegendre"),
    "m0_values_to_irrepsarray": lambda e, F: e.m0_values_to_irrepsarray(array(F, 2, 4), 3, -1, -1),
    "SphericalSignal": spherical_signal,
    "SO3Signal": so3_signal,
}


def span(e, F, basis):
    """The projection onto each irrep of the output: bases may differ by a rotation within equal irreps."""
    basis = basis.regroup()
    flat = [np.asarray(chunk, np.float64).reshape(-1, *chunk.shape[-2:]) for chunk in basis.chunks]
    return [repr(basis.irreps), *[np.einsum("aui,bui->ab", a, a) for a in flat]]


def functional_linear(e, F):
    f = e.FunctionalLinear(e.Irreps("2x0e + 1o + 3x0e"), e.Irreps("0e + 2x1o + 4x0e"), path_normalization=0.3)
    return f(array(F, f.num_weights), data(e, F, "2x0e + 1o + 3x0e"))


CASES |= {
    "FunctionalLinear": functional_linear,
    "reduced_tensor_product_basis": lambda e, F: span(e, F, e.reduced_tensor_product_basis("ij=-ji", i="0e + 1o + 2e")),
    "reduced_symmetric_tensor_product_basis": lambda e, F: span(
        e, F, e.reduced_symmetric_tensor_product_basis("0e + 1o", 3)
    ),
    "reduced_antisymmetric_tensor_product_basis": lambda e, F: span(
        e, F, e.reduced_antisymmetric_tensor_product_basis("1o + 1e", 2, keep_ir="1e")
    ),
}


def leaves(x):
    if isinstance(x, (list, tuple)):
        return [leaf for part in x for leaf in leaves(part)]
    if hasattr(x, "quadrature"):
        return [f"{x.quadrature} {x.p_val} {x.p_arg}", x.grid_values]
    if hasattr(x, "irreps"):
        return [repr(x.irreps), x.array]
    return [x]


def results(case, e, F):
    """Compute a case as one program, because compiling each operation on its own would take longer."""
    if case is CASES["radius_graph"]:  # has results of unknown size
        return leaves(case(e, F))
    texts: list[Any] = []

    def arrays():
        found = leaves(case(e, F))
        texts[:] = [x if isinstance(x, str) else None for x in found]
        return [x for x in found if not isinstance(x, str)]

    computed = iter(jax.jit(arrays, compiler_options={"xla_backend_optimization_level": 0})())
    return [next(computed) if text is None else text for text in texts]


def test_every_function_has_a_case():
    names = {name for name in NAMES if "." not in name}
    assert names - NO_VALUES - set(DIFFERENT) == set(CASES) - {"perm", "legacy"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES])
def test_values(name):
    with jax.numpy_rank_promotion("allow"):
        expected = {F: results(CASES[name], e3nn_jax, F) for F in (TOLERANCE if name in RANDOM else [jnp.float64])}
    for F, tolerance in TOLERANCE.items():
        found = results(CASES[name], compat, F)
        for a, b in zip(found, expected.get(F, expected[jnp.float64]), strict=True):
            if isinstance(b, str):
                assert a == b
                continue
            assert np.shape(a) == np.shape(b)
            scale = max(1.0, float(np.max(np.abs(b), initial=0)))
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)
