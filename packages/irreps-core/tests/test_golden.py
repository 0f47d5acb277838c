"""The conventions, frozen: golden tables made independently (golden/make_golden.py), and the peers."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from irreps_core import Irrep, clebsch_gordan, spherical_harmonics

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1e-14


def load(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def tables():
    """{(l1, l2, l3): golden Clebsch-Gordan table}."""
    data = load("clebsch_gordan")
    shapes = 2 * data["degrees"].astype(int) + 1
    pieces = np.split(data["values"], np.cumsum(shapes.prod(axis=1))[:-1])
    return {
        tuple(ls): piece.reshape(shape)
        for ls, shape, piece in zip(data["degrees"].tolist(), shapes, pieces, strict=True)
    }


@pytest.fixture(scope="module")
def matrices():
    """[(angles, {l: golden Wigner D})]."""
    data = load("wigner_d")
    ends = np.cumsum([(2 * l + 1) ** 2 for l in range(7)])
    return [
        (angles, {l: m.reshape(2 * l + 1, -1) for l, m in enumerate(np.split(row, ends[:-1]))})
        for angles, row in zip(data["angles"], data["values"], strict=True)
    ]


@pytest.fixture(scope="module")
def harmonics():
    """(unit vectors, {l: golden harmonics of shape (points, 2l+1), orthonormal on the sphere})."""
    data = load("spherical_harmonics")
    points = data["points"] / np.linalg.norm(data["points"], axis=1, keepdims=True)
    return points, dict(enumerate(np.split(data["values"], [l * l for l in range(1, 9)], axis=1)))


def test_clebsch_gordan(tables):
    assert len(tables) == 175  # all triangles with sides up to 6
    for ls, golden in tables.items():
        np.testing.assert_allclose(clebsch_gordan(*ls), golden, rtol=0, atol=TOLERANCE, err_msg=str(ls))
        np.testing.assert_array_equal(clebsch_gordan(*ls) == 0, golden == 0, err_msg=str(ls))


def test_a_changed_sign_is_seen(tables):
    """Every golden coefficient is zero or far above the tolerance, so that its sign counts."""
    smallest = min(np.abs(table[table != 0]).min() for table in tables.values())
    assert smallest > 1e10 * TOLERANCE
    changed = clebsch_gordan(2, 3, 4).copy()
    changed[tuple(np.argwhere(changed)[5])] *= -1
    assert np.abs(changed - tables[2, 3, 4]).max() > TOLERANCE


def test_wigner_d(matrices):
    for angles, blocks in matrices:
        for l, golden in blocks.items():
            d = Irrep(l, 1).D_from_angles(*angles)
            np.testing.assert_allclose(d, golden, rtol=0, atol=1e-13, err_msg=f"l={l}, angles={angles}")


def test_wigner_d_of_a_vector_is_the_rotation(matrices):
    """D of 1o on (x, y, z) is Ry(α) Rx(β) Ry(γ)."""
    for (alpha, beta, gamma), blocks in matrices:
        np.testing.assert_allclose(blocks[1], about_y(alpha) @ about_x(beta) @ about_y(gamma), atol=1e-15)


def about_y(t):
    return np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])


def about_x(t):
    return np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])


def test_clebsch_gordan_is_invariant_under_golden_wigner_d(tables, matrices):
    for ls in [(1, 1, 1), (1, 2, 3), (2, 2, 2), (4, 3, 5), (6, 6, 6)]:
        for _, blocks in matrices:
            d1, d2, d3 = (blocks[l] for l in ls)
            rotated = np.einsum("il,jm,kn,lmn->ijk", d1, d2, d3, clebsch_gordan(*ls), optimize=True)
            np.testing.assert_allclose(rotated, tables[ls], atol=1e-13)


def test_clebsch_gordan_climbs_the_golden_harmonics(harmonics):
    """Y_l ⊗ Y_1 -> Y_(l+1) with a positive factor: order, axes and signs are those of the harmonics."""
    points, y = harmonics
    np.testing.assert_allclose(y[1] * np.sqrt(4 * np.pi / 3), points, atol=1e-15)
    for l in range(1, 8):
        product = np.einsum("ni,nj,ijk->nk", y[l], y[1], clebsch_gordan(l, 1, l + 1))
        factor = np.linalg.norm(product, axis=1) / np.linalg.norm(y[l + 1], axis=1)
        np.testing.assert_allclose(product, factor[:, None] * y[l + 1], atol=1e-14)
        np.testing.assert_allclose(factor, factor[0], atol=1e-14)


def test_golden_wigner_d_rotates_the_golden_harmonics(harmonics, matrices):
    """Y(R r) = D(R) Y(r), for the rotations that take one golden point to another: those about its axis."""
    points, y = harmonics
    north = int(np.flatnonzero(points[:, 1] == 1)[0])
    for (alpha, beta, _), blocks in matrices:
        image = about_y(alpha) @ about_x(beta) @ points[north]
        for l, d in blocks.items():
            # R takes the north pole to the point with these angles: Y_l there is the middle column of D.
            value = d[:, l] * np.sqrt((2 * l + 1) / (4 * np.pi))
            np.testing.assert_allclose(d @ y[l][north], value, atol=1e-14)
            assert value[l] == pytest.approx(legendre(l, image[1]) * np.sqrt((2 * l + 1) / (4 * np.pi)), abs=1e-13)


def legendre(l, u):
    return np.polynomial.legendre.legval(u, np.eye(l + 1)[l])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 2e-6)])
@pytest.mark.parametrize("library", ["numpy", "jax.numpy"])
def test_our_harmonics_are_the_golden_ones(harmonics, library, dtype, tolerance):
    xp = pytest.importorskip(library)
    points, golden = harmonics
    expected = np.concatenate([golden[l] for l in range(9)], axis=-1)
    degrees = np.repeat(np.arange(9), 2 * np.arange(9) + 1)
    # The normalizations differ by one factor for each degree.
    factors = {"integral": 1, "component": np.sqrt(4 * np.pi), "norm": np.sqrt(4 * np.pi / (2 * degrees + 1))}
    for normalization, factor in factors.items():
        y = spherical_harmonics(range(9), xp.asarray(points, dtype=dtype), normalization=normalization)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected * factor, rtol=0, atol=tolerance * np.max(factor))


def test_the_tables_are_what_the_script_makes(tables, matrices, harmonics):
    pytest.importorskip("sympy")
    script = SimpleNamespace(**runpy.run_path(str(GOLDEN / "make_golden.py")))
    with script.mp.workdps(40):
        for ls in [(0, 0, 0), (1, 2, 2), (3, 2, 4)]:
            np.testing.assert_array_equal(script.real_clebsch_gordan(*ls), tables[ls])
        for (angles, blocks), l in zip(matrices, (0, 1, 2, 3, 1, 2, 3, 4), strict=True):
            np.testing.assert_array_equal(script.real_wigner_d(l, *angles), blocks[l])
        for i in (0, 5, 10):
            values = script.real_spherical_harmonics(8, script.POINTS[i])
            np.testing.assert_array_equal(values, np.concatenate([harmonics[1][l][i] for l in range(9)]))


def test_size():
    assert sum(file.stat().st_size for file in GOLDEN.glob("*.npz")) < 300_000


def test_e3nn_jax_agrees(tables, matrices, harmonics):
    e3nn = pytest.importorskip("e3nn_jax")
    for ls, golden in tables.items():
        np.testing.assert_allclose(e3nn.clebsch_gordan(*ls), golden, atol=1e-12)
    for angles, blocks in matrices:
        for l, golden in blocks.items():
            np.testing.assert_allclose(e3nn.Irrep(l, 1).D_from_angles(*angles), golden, atol=1e-12)
    points, y = harmonics
    for l, golden in y.items():
        ours = e3nn.spherical_harmonics(e3nn.Irreps([(1, (l, (-1) ** l))]), points, True, "integral").array
        np.testing.assert_allclose(ours, golden, atol=1e-5 if ours.dtype == np.float32 else 1e-13)


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def test_torch_e3nn_agrees(tables, matrices, harmonics, torch):
    pytest.importorskip("e3nn", minversion="0.5")
    from e3nn import o3

    for ls, golden in tables.items():
        np.testing.assert_allclose(o3.wigner_3j(*ls).numpy(), golden, atol=1e-12)
    for angles, blocks in matrices:
        for l, golden in blocks.items():
            d = o3.wigner_D(l, *torch.tensor(angles))
            np.testing.assert_allclose(d.numpy(), golden, atol=1e-10)
    points, y = harmonics
    for l, golden in y.items():
        theirs = o3.spherical_harmonics(l, torch.tensor(points), normalize=True, normalization="integral")
        np.testing.assert_allclose(theirs.numpy(), golden, atol=1e-12)
