"""Each quantity against other software that computes it: a table of quantities and oracles.

The rows of SymPy, SciPy and mpmath run everywhere, those of the peers in ``tests/environments.sh peers``. Golden tables
(packages/irreps-core/tests/golden, packages/irreps-compat/tests/golden) hold the values of mpmath and of e3nn for
PyTorch, which need not be installed.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr

RNG = np.random.default_rng(0)
ANGLES = (0.3, 0.7, 1.1)
R = ic.angles_to_matrix(*map(np.float64, ANGLES))
POINTS = RNG.normal(size=(5, 3))
UNIT = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
TRIANGLES = [ls for ls in itertools.product(range(4), repeat=3) if abs(ls[0] - ls[1]) <= ls[2] <= ls[0] + ls[1]]

# Ours, theirs, and the largest difference.
Pairs = Iterator[tuple[Any, Any, float]]
ORACLES: dict[tuple[str, str], Callable[[], Pairs]] = {}


def oracle(quantity: str, name: str) -> Callable[[Callable[[], Pairs]], Callable[[], Pairs]]:
    def add(compare: Callable[[], Pairs]) -> Callable[[], Pairs]:
        ORACLES[quantity, name] = compare
        return compare

    return add


def blocks(degree: int) -> slice:
    return slice(degree**2, (degree + 1) ** 2)


def wigner_d(degree: int) -> np.ndarray:
    return ic.Irrep(degree, 1).D_from_angles(*map(np.float64, ANGLES))


def in_real_basis(complex_d: np.ndarray, degree: int) -> np.ndarray:
    """A Wigner D matrix of the orders -l .. l, whose polar axis is z, in our basis, whose polar axis is y.

    Harmonics transform with its complex conjugate.
    """
    to_complex = ic.change_basis_real_to_complex(degree)
    return to_complex.conj().T @ complex_d.conj() @ to_complex


# Wigner D matrices ------------------------------------------------------------------------------------------------
@oracle("Wigner D", "SymPy")
def _() -> Pairs:
    spin = pytest.importorskip("sympy.physics.quantum.spin")
    for l in (1, 2):
        orders = range(-l, l + 1)
        theirs = [[complex(spin.Rotation.D(l, m, n, *ANGLES).doit()) for n in orders] for m in orders]
        yield wigner_d(l), in_real_basis(np.array(theirs), l), 1e-13


@oracle("Wigner D", "mpmath")
def _() -> Pairs:
    """Wigner's sum in 60 digits, for degree 24."""
    mp = pytest.importorskip("mpmath").mp
    l, (alpha, beta, gamma) = 24, ANGLES

    def small_d(m: int, n: int) -> Any:
        c, s, f = mp.cos(mp.mpf(beta) / 2), mp.sin(mp.mpf(beta) / 2), mp.factorial
        total = mp.mpf(0)
        for k in range(max(0, n - m), min(l + n, l - m) + 1):
            below = f(l + n - k) * f(k) * f(m - n + k) * f(l - m - k)
            total += (-1) ** (m - n + k) * c ** (2 * l + n - m - 2 * k) * s ** (m - n + 2 * k) / below
        return total * mp.sqrt(f(l + m) * f(l - m) * f(l + n) * f(l - n))

    with mp.workdps(60):
        d = np.array([[float(small_d(m, n)) for n in range(-l, l + 1)] for m in range(-l, l + 1)])
    phases = [np.exp(-1j * np.arange(-l, l + 1) * angle) for angle in (alpha, gamma)]
    yield wigner_d(l), in_real_basis(phases[0][:, None] * d * phases[1], l), 1e-12


@oracle("Wigner D", "SciPy")
def _() -> Pairs:
    """D of Y(R r) = D Y(r), for the harmonics of SciPy."""
    for l in (1, 4, 9):
        points = np.random.default_rng(l).normal(size=(4 * l + 2, 3))
        before, after = scipy_harmonics(l, points), scipy_harmonics(l, points @ R.T)
        yield wigner_d(l), np.linalg.lstsq(before, after, rcond=None)[0].T, 1e-12


@oracle("Wigner D", "e3nn-jax")
def _() -> Pairs:
    e3nn = pytest.importorskip("e3nn_jax")
    irreps = e3nn.Irreps("0e+1o+2e+3o+4e")
    theirs = jax.jit(lambda: irreps.D_from_angles(*ANGLES))()
    for l, place in enumerate(irreps.slices()):
        yield wigner_d(l), theirs[place, place], 1e-12


@oracle("Wigner D", "e3x")
def _() -> Pairs:
    e3x = pytest.importorskip("e3x")
    theirs = np.asarray(jax.jit(lambda r: e3x.so3.wigner_d(r, 4))(R))
    for l in range(5):
        b = ic.change_of_basis("e3x", "e3nn", l)
        yield wigner_d(l), b @ theirs[blocks(l), blocks(l)] @ b.T, 1e-12


@oracle("Wigner D", "cuequivariance")
def _() -> Pairs:
    cue = pytest.importorskip("cuequivariance")
    log = ic.matrix_to_log_coordinates(R)
    for l in range(6):
        yield wigner_d(l), cue.O3(l, 1).exp_map(log, np.array([0])), 1e-12
        yield -np.eye(2 * l + 1), cue.O3(l, -1).exp_map(np.zeros(3), np.array([1])), 1e-12  # the inversion


# Clebsch-Gordan coefficients --------------------------------------------------------------------------------------
@oracle("Clebsch-Gordan", "SymPy")
def _() -> Pairs:
    wigner = pytest.importorskip("sympy.physics.wigner")
    for j1, j2, j3 in [(1, 1, 1), (2, 1, 3), (2, 2, 2)]:
        orders = [range(-j, j + 1) for j in (j1, j2, j3)]
        theirs = [
            [[float(wigner.clebsch_gordan(j1, j2, j3, a, b, c)) for c in orders[2]] for b in orders[1]]
            for a in orders[0]
        ]
        yield ic.su2_clebsch_gordan(j1, j2, j3), np.array(theirs) / math.sqrt(2 * j3 + 1), 1e-14


@oracle("Clebsch-Gordan", "e3nn-jax")
def _() -> Pairs:
    e3nn = pytest.importorskip("e3nn_jax")
    for ls in TRIANGLES:
        yield ic.clebsch_gordan(*ls), e3nn.clebsch_gordan(*ls), 1e-12


@oracle("Clebsch-Gordan", "e3x")
def _() -> Pairs:
    e3x = pytest.importorskip("e3x")
    theirs = np.asarray(e3x.so3.clebsch_gordan(3, 3, 3))
    for ls in TRIANGLES:
        bases = [ic.change_of_basis("e3x", "e3nn", l) for l in ls]
        found = np.einsum("abc,ia,jb,kc->ijk", theirs[tuple(map(blocks, ls))], *bases)
        yield ic.clebsch_gordan(*ls), found / math.sqrt(2 * ls[2] + 1), 1e-6  # their table is of float32


@oracle("Clebsch-Gordan", "cuequivariance")
def _() -> Pairs:
    cue = pytest.importorskip("cuequivariance")
    for ls in TRIANGLES:
        (found,) = cue.clebsch_gordan(*map(cue.SO3, ls))
        yield ic.clebsch_gordan(*ls), found / math.sqrt(2 * ls[2] + 1), 1e-12


# Spherical harmonics and their gradients --------------------------------------------------------------------------
LMAX = 5


def ours(points: Any) -> Any:
    return ic.spherical_harmonics(range(LMAX + 1), points, normalization="integral")


def in_our_basis(name: str, y: Any) -> Any:
    """Harmonics of all degrees of another convention, in ours."""
    parts = [y[..., blocks(l)] @ ic.change_of_basis(name, "e3nn", l).T for l in range(LMAX + 1)]
    return jnp.concatenate(parts, axis=-1)


def scipy_harmonics(degree: int, points: np.ndarray) -> np.ndarray:
    special = pytest.importorskip("scipy.special")
    x, y, z = (points / np.linalg.norm(points, axis=1, keepdims=True)).T
    columns = [special.sph_harm_y(degree, m, np.arccos(z), np.arctan2(y, x)) for m in range(-degree, degree + 1)]
    return np.real(np.stack(columns, axis=1) @ ic.change_of_basis("scipy", "e3nn", degree).T)


def gradients(theirs: Callable[[Any], Any], tolerance: float = 1e-10) -> Pairs:
    """Values, and Jacobians with respect to vectors of any length."""
    points = jnp.asarray(POINTS)
    yield ours(points), jax.jit(theirs)(points), tolerance
    jacobians = [
        jax.jit(jax.vmap(jax.jacfwd(f)))(points) for f in (lambda r: ours(r[None])[0], lambda r: theirs(r[None])[0])
    ]
    yield *jacobians, tolerance


@oracle("harmonics and gradients", "SciPy")
def _() -> Pairs:
    """Its derivatives by the angles are those of ours along the sphere."""
    special = pytest.importorskip("scipy.special")
    x, y, z = UNIT.T
    theta, phi = np.arccos(z), np.arctan2(y, x)
    along = np.stack(
        [
            np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)], -1),
            np.stack([-np.sin(theta) * np.sin(phi), np.sin(theta) * np.cos(phi), 0 * theta], -1),
        ],
        -1,
    )  # of the unit vectors, by theta and phi
    jacobian = jax.vmap(jax.jacfwd(lambda r: ours(r[None])[0]))(jnp.asarray(UNIT))
    for l in range(LMAX + 1):
        b = ic.change_of_basis("scipy", "e3nn", l).T
        columns = [special.sph_harm_y(l, m, theta, phi, diff_n=1) for m in range(-l, l + 1)]
        yield ours(UNIT)[:, blocks(l)], np.real(np.stack([value for value, _ in columns], 1) @ b), 1e-13
        theirs = np.einsum("nma,mk->nka", np.stack([slope for _, slope in columns], 1), b)
        yield np.einsum("nki,nia->nka", jacobian[:, blocks(l)], along), np.real(theirs), 1e-12


@oracle("harmonics and gradients", "mpmath")
def _() -> Pairs:
    """Finite differences in 40 digits."""
    mp = pytest.importorskip("mpmath").mp
    l, m = 4, 3

    def value(*r: Any) -> Any:
        x, y, z = (c / mp.sqrt(sum(a * a for a in r)) for c in r)
        return mp.sqrt(2) * mp.re(mp.spherharm(l, m, mp.acos(z), mp.atan2(y, x))) * (-1) ** m

    with mp.workdps(40):
        place = [mp.mpf(float(c)) for c in POINTS[0]]
        theirs = [value(*place), *(mp.diff(value, place, tuple(int(i == j) for j in range(3))) for i in range(3))]
    # That of cos(m phi) is the component l + m where the polar axis is z: the basis of sphericart.
    row = ic.change_of_basis("e3nn", "sphericart", l)[l + m]
    found = [f(jnp.asarray(POINTS[:1]))[0] for f in (ours, lambda r: jax.jacfwd(lambda v: ours(v))(r)[:, :, 0])]
    yield [row @ found[0][blocks(l)], *(row @ found[1][blocks(l)])], list(map(float, theirs)), 1e-12


@oracle("harmonics and gradients", "e3nn-jax")
def _() -> Pairs:
    e3nn = pytest.importorskip("e3nn_jax")
    irreps = e3nn.Irreps.spherical_harmonics(LMAX)
    yield from gradients(lambda r: e3nn.spherical_harmonics(irreps, r, True, "integral").array)


@oracle("harmonics and gradients", "sphericart")
def _() -> Pairs:
    sphericart = pytest.importorskip("sphericart.jax")
    yield from gradients(lambda r: in_our_basis("sphericart", sphericart.spherical_harmonics(r, LMAX)))


@oracle("harmonics and gradients", "e3x")
def _() -> Pairs:
    e3x = pytest.importorskip("e3x")
    theirs = lambda r: e3x.so3.spherical_harmonics(r, LMAX, normalization="orthonormal")  # noqa: E731
    yield from gradients(lambda r: in_our_basis("e3x", theirs(r)))


@oracle("harmonics and gradients", "cuequivariance")
def _() -> Pairs:
    cue, cuex = pytest.importorskip("cuequivariance"), pytest.importorskip("cuequivariance_jax")

    def theirs(r: Any) -> Any:
        y = cuex.spherical_harmonics(list(range(LMAX + 1)), cuex.RepArray(cue.Irreps("O3", "1o"), r, cue.mul_ir)).array
        return y / math.sqrt(4 * math.pi)

    yield from gradients(theirs)


# Tensor products --------------------------------------------------------------------------------------------------
X, Y = (ic.IrrepsArray(i, jnp.asarray(RNG.normal(size=(3, ic.Irreps(i).dim)))) for i in ("0e+2x1o+2e", "1o+1e+2o"))


@oracle("tensor product", "SymPy")
def _() -> Pairs:
    """The product of harmonics of one vector is a harmonic, with a Clebsch-Gordan coefficient as its factor.

    Our coefficients are those of the basis with the phase (-i)^l, hence a sign.
    """
    wigner = pytest.importorskip("sympy.physics.wigner")
    for l1, l2, l3 in [(1, 1, 2), (1, 2, 1), (2, 2, 4), (3, 2, 3)]:
        y = [ic.spherical_harmonics([l], jnp.asarray(UNIT), normalization="component") for l in (l1, l2, l3)]
        first, second = (ic.IrrepsArray(f"{l}e", v) for l, v in ((l1, y[0]), (l2, y[1])))
        product = irr.tensor_product(first, second)
        factor = float(wigner.clebsch_gordan(l1, l2, l3, 0, 0, 0)) * (-1) ** ((l1 + l2 - l3) // 2)
        factor *= math.sqrt((2 * l1 + 1) * (2 * l2 + 1) / (2 * l3 + 1))
        yield product.filter(f"{l3}e").array, factor * y[2], 1e-13


@oracle("tensor product", "e3nn-jax")
def _() -> Pairs:
    e3nn = pytest.importorskip("e3nn_jax")
    a, b = (e3nn.IrrepsArray(str(v.irreps), v.array) for v in (X, Y))
    found, theirs = irr.tensor_product(X, Y), e3nn.tensor_product(a, b)
    assert str(found.irreps) == str(theirs.irreps)
    yield found.array, theirs.array, 1e-12


@oracle("tensor product", "cuequivariance")
def _() -> Pairs:
    cue, cuex = pytest.importorskip("cuequivariance"), pytest.importorskip("cuequivariance_jax")
    for one, other in itertools.product(("1o", "2e", "3o"), ("1e", "2o")):
        x, y = (ic.IrrepsArray(i, jnp.asarray(RNG.normal(size=(3, ic.Irreps(i).dim)))) for i in (one, other))
        descriptor = cue.descriptors.full_tensor_product(cue.Irreps("O3", one), cue.Irreps("O3", other))
        factors = [cuex.RepArray(cue.Irreps("O3", str(v.irreps)), v.array, cue.ir_mul) for v in (x, y)]
        found, theirs = irr.tensor_product(x, y), cuex.equivariant_polynomial(descriptor, factors, method="naive")
        assert [str(ir) for _, ir in found.irreps] == [str(ir) for _, ir in theirs.irreps]
        yield found.array, theirs.array, 1e-12


# Linear maps ------------------------------------------------------------------------------------------------------
LINEAR = ("4x0e+3x1o", "2x0e+5x1o")


def linear_case() -> tuple[Any, dict[str, np.ndarray], np.ndarray]:
    """A layer's parameters, data in a batch of 3, and its output."""
    x = ic.IrrepsArray(LINEAR[0], jnp.asarray(np.random.default_rng(4).normal(size=(3, 13))))
    layer = irr.Linear(LINEAR[1], force_irreps_out=True)
    parameters = jax.tree.map(lambda w: jnp.asarray(w, jnp.float64), irr.init(layer, jax.random.key(0), x))
    return x, parameters, np.asarray(irr.apply(layer, parameters, x).array)


@oracle("linear", "e3nn-jax")
def _() -> Pairs:
    """A path after another, with the factor 1 / sqrt(fan-in) of e3nn-jax."""
    e3nn = pytest.importorskip("e3nn_jax")
    x, parameters, found = linear_case()
    linear = e3nn.FunctionalLinear(e3nn.Irreps(LINEAR[0]), e3nn.Irreps(LINEAR[1]))
    theirs = linear(list(parameters.values()), e3nn.IrrepsArray(LINEAR[0], x.array[0]))
    yield found[0], theirs.array, 1e-12


@oracle("linear", "cuequivariance")
def _() -> Pairs:
    cue, cuex = pytest.importorskip("cuequivariance"), pytest.importorskip("cuequivariance_jax")
    x, parameters, found = linear_case()
    descriptor = cue.descriptors.linear(*(cue.Irreps("O3", i) for i in LINEAR))
    weights = jnp.concatenate([w.reshape(-1) for w in parameters.values()])[None]
    arrays = [weights, jnp.concatenate([x.array[:, :4], swapped(x.array[:, 4:], 3, 3)], 1)]
    data = [
        cuex.RepArray(cue.Irreps("O3", i), a, cue.ir_mul) for i, a in zip(("23x0e", LINEAR[0]), arrays, strict=True)
    ]
    theirs = cuex.equivariant_polynomial(descriptor, data, method="naive").array
    yield found, jnp.concatenate([theirs[:, :2], swapped(theirs[:, 2:], 3, 5)], 1), 1e-12


def swapped(array: Any, first: int, second: int) -> Any:
    return jnp.swapaxes(array.reshape(len(array), first, second), 1, 2).reshape(len(array), -1)


# Symmetric contractions -------------------------------------------------------------------------------------------
SYMMETRIC = ("0e+1o+2e", "0e+1o")  # orders 1, 2 and 3


def contractions() -> np.ndarray:
    """Ours, on some data, with each weight 1 in turn: the columns span the space of contractions."""
    x = ic.IrrepsArray(SYMMETRIC[0], jnp.asarray(data()[:, None]))
    function = irr.FunctionalSymmetricContraction(SYMMETRIC[0], (1, 2, 3), SYMMETRIC[1])
    return np.asarray(jax.lax.map(lambda w: function(w[:, None], x).array.reshape(-1), jnp.eye(function.num_weights))).T


def same_space(found: np.ndarray, theirs: np.ndarray) -> Pairs:
    rank = [np.linalg.matrix_rank(a, tol=1e-8 * np.linalg.norm(a, 2)) for a in (found, theirs)]
    assert rank[0] == rank[1] == found.shape[1]
    solution = np.linalg.lstsq(theirs, found, rcond=1e-10)[0]
    yield found, theirs @ solution, 1e-9


def data() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(40, 9))


@oracle("symmetric contraction", "e3nn-jax")
def _() -> Pairs:
    e3nn = pytest.importorskip("e3nn_jax")
    x, columns = data(), []
    for degree in (1, 2, 3):
        basis = e3nn.reduced_symmetric_tensor_product_basis(SYMMETRIC[0], degree, keep_ir=SYMMETRIC[1])
        powers = [f"n{letter}" for letter in "abc"[:degree]]
        values = np.einsum(f"{','.join(powers)},{'abc'[:degree]}z->nz", *[x] * degree, np.asarray(basis.array))
        for (mul, ir), place in zip(basis.irreps, basis.irreps.slices(), strict=True):
            start = {"0e": 0, "1o": 1}[str(ir)]
            for copy in range(mul):
                column = np.zeros((len(x), 4))
                column[:, start : start + ir.dim] = values[:, place].reshape(len(x), mul, ir.dim)[:, copy]
                columns.append(column.reshape(-1))
    yield from same_space(contractions(), np.stack(columns, 1))


@oracle("symmetric contraction", "cuequivariance")
def _() -> Pairs:
    cue, cuex = pytest.importorskip("cuequivariance"), pytest.importorskip("cuequivariance_jax")
    irreps, irreps_out = (cue.Irreps("O3", i) for i in SYMMETRIC[:2])
    descriptor = cue.descriptors.symmetric_contraction(irreps, irreps_out, (1, 2, 3))
    x = cuex.RepArray(irreps, jnp.asarray(data()), cue.ir_mul)

    def value(weights: Any) -> Any:
        scalars = cuex.RepArray(cue.Irreps("O3", f"{len(weights)}x0e"), weights[None], cue.ir_mul)
        return cuex.equivariant_polynomial(descriptor, [scalars, x], method="naive").array.reshape(-1)

    theirs = jax.lax.map(value, jnp.eye(descriptor.inputs[0].dim))
    yield from same_space(contractions(), np.asarray(theirs).T)


@pytest.mark.parametrize(("quantity", "name"), ORACLES, ids=map("-".join, ORACLES))
def test_agreement(quantity: str, name: str) -> None:
    for found, theirs, tolerance in ORACLES[quantity, name]():
        np.testing.assert_allclose(found, theirs, rtol=0, atol=tolerance)


def test_every_quantity_has_two_oracles() -> None:
    quantities = [quantity for quantity, _ in ORACLES]
    assert all(quantities.count(quantity) >= 2 for quantity in quantities)
