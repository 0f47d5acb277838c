"""Pictures show the mathematics: positions, colours, numbers of paths, labels; bad input is refused."""

import builtins
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import irreps_core as ic
import irreps_ops as irr
from irreps_ops import plots

pytest.importorskip("matplotlib")

from matplotlib import colors, pyplot
from matplotlib.axes import Axes

from irreps_ops.plots import _axes, _surfaces

pyplot.switch_backend("agg")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    pyplot.close("all")  # those of examples in docstrings
    yield
    pyplot.close("all")


def one(x: str, *data: float) -> irr.IrrepsArray:
    return irr.IrrepsArray(x, jnp.array(data))


PICTURES: dict[str, Callable[..., Axes]] = {
    "spherical_harmonics": lambda ax: plots.spherical_harmonics("1o", ax),
    "signal": lambda ax: plots.signal(one("0e", 1.0), ax),
    "wigner_D": lambda ax: plots.wigner_D("1o", np.eye(3), ax),
    "clebsch_gordan": lambda ax: plots.clebsch_gordan("1o", "1o", ax=ax),
    "irreps": lambda ax: plots.irreps("1o", ax),
    "tensor_product": lambda ax: plots.tensor_product("1o", "1o", ax),
    "equivariance_error": lambda ax: plots.equivariance_error(lambda x: 2 * x, 0, "1o", ax=ax),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_drawn_into_given_axes_only(name: str) -> None:
    assert set(PICTURES) == set(plots.__all__)
    figure, (left, right) = pyplot.subplots(1, 2)
    assert PICTURES[name](left) is left
    assert pyplot.get_fignums() == [figure.number]
    assert [*right.lines, *right.images, *right.collections, *right.patches] == []
    figure.canvas.draw()
    with pytest.raises(TypeError, match=f"{name} expects ax to be a matplotlib Axes, got 'left'"):
        PICTURES[name]("left")


def test_matplotlib_is_imported_to_draw_and_its_absence_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for draw in PICTURES.values():
        with pytest.raises(ImportError, match=re.escape("pip install irreps-ops[plot]")):
            draw(None)


def test_lobes_have_the_distance_and_sign_of_the_harmonics() -> None:
    """The tip of Y_10 = y is above its centre, half a cell away, and blue; opposite it is orange."""
    ax = plots.spherical_harmonics("1o")
    right, up, _ = _surfaces.camera()
    for place, direction in enumerate(np.eye(3)):  # components x, y, z
        collection = ax.collections[place]
        centre = np.array([place - 1, 0])
        corners = np.concatenate([path.vertices for path in collection.get_paths()]) - centre
        tip = 0.48 * np.array([right @ direction, up @ direction])
        along = corners @ tip / (tip @ tip)
        # A lobe of r = |cos| is a sphere: in the picture a disc around half of its tip.
        assert np.all(np.minimum(*(np.hypot(*(corners - s * tip / 2).T) for s in (1, -1))) < 0.241)
        assert along.max() >= 1
        assert along.min() <= -1
        hue = colors.rgb_to_hsv(collection.get_facecolors()[:, :3])[:, 0]
        middles = np.array([path.vertices[:4].mean(axis=0) for path in collection.get_paths()]) - centre
        side = middles @ tip / (tip @ tip)
        blue = colors.rgb_to_hsv(colors.to_rgb(_axes.POSITIVE))[0]
        outer = np.abs(side) > 0.6  # where no ray meets both lobes
        np.testing.assert_array_equal(np.abs(hue - blue)[outer] < 0.1, side[outer] > 0)


def test_the_map_has_the_angles_of_the_conventions() -> None:
    """The contour at zero of x is at the azimuths 0 and 180 degrees; coefficients and grid agree."""
    x = one("1o", 1.0, 0.0, 0.0)
    for given in (x, irr.to_s2grid(x, 60, 61, quadrature="soft", p_val=1, p_arg=-1)):
        mapped = plots.signal(given, kind="map").collections[0]
        limit = float(np.sqrt(3))  # of the harmonics of mean square 1
        assert mapped.get_clim() == pytest.approx((-limit, limit), rel=2e-3)
        levels, paths = mapped.levels, mapped.get_paths()
        upper = np.concatenate([p.vertices for v, p in zip(levels, paths, strict=False) if v > 0.5 and len(p.vertices)])
        assert upper[:, 0].min() > 10
        assert upper[:, 0].max() < 170
        assert upper.mean(axis=0) == pytest.approx([90, 90], abs=5)


def test_the_sphere_is_blue_where_the_function_is_positive() -> None:
    ax = plots.signal(one("1o", 0.0, 1.0, 0.0))
    surface = ax.collections[0]
    middles = np.array([path.vertices[:4].mean(axis=0) for path in surface.get_paths()])
    red, _, blue, _ = surface.get_facecolors().T
    assert np.all(blue[middles[:, 1] > 0.5] > red[middles[:, 1] > 0.5])
    assert np.all(blue[middles[:, 1] < -0.5] < red[middles[:, 1] < -0.5])


def test_wigner_D_is_the_matrix() -> None:
    irreps, matrix = irr.Irreps("2x0o + 1o + 2e"), -np.asarray(irr.angles_to_matrix(0.3, 0.4, 0.5))
    drawn = plots.wigner_D(irreps, matrix)
    shown = drawn.images[0].get_array()
    v = np.random.default_rng(0).normal(size=irreps.dim)
    np.testing.assert_allclose(shown @ v, ic.IrrepsArray(irreps, v).transform_by_matrix(matrix).array, atol=1e-5)
    assert drawn.images[0].get_clim() == (-1, 1)
    assert [label.get_text() for label in drawn.get_xticklabels()] == ["2x0o", "1o", "2e"]


def test_clebsch_gordan_is_orthogonal_and_of_the_known_pattern() -> None:
    """1 x 1 to 1 is the cross product, to 0 the scalar product; the whole square table is orthogonal."""
    ax = plots.clebsch_gordan("1o", "1o")
    table = np.asarray(ax.images[0].get_array())
    gram = table.T @ table
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-6)
    np.testing.assert_array_equal(table[:, 0].reshape(3, 3) != 0, np.eye(3, dtype=bool))
    epsilon = np.cross(np.eye(3)[:, None], np.eye(3)[None])
    np.testing.assert_array_equal(table[:, 1:4].reshape(3, 3, 3) != 0, epsilon != 0)
    assert f"{np.count_nonzero(table)} of 81" in ax.get_title()
    assert plots.clebsch_gordan("2e", "1o", "3o").images[0].get_array().shape == (15, 7)


def test_the_bar_has_the_slices_and_hatches_odd_irreps() -> None:
    irreps = irr.Irreps("8x0e + 0x2e + 4x1o + 2e")
    ax = plots.irreps(irreps)
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    kept = irreps.remove_zero_multiplicities()
    assert bars == [(place.start, place.stop) for place in kept.slices()]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [ir.p == -1 for _, ir in kept]
    assert len({bar.get_facecolor() for bar in ax.patches}) == 3


@pytest.mark.parametrize(("left", "right", "keep"), [("8x0e + 4x1o", "0e + 1o + 2e", None), ("1o + 2e", "2e", "1o")])
def test_a_path_has_three_lines_and_outputs_count_copies(left: str, right: str, keep: Any) -> None:
    ax = plots.tensor_product(left, right, filter_ir_out=keep)
    first, second = irr.Irreps(left), irr.Irreps(right)
    wanted = {
        f"path {i} {j} {l}{'e' if a.p * b.p == 1 else 'o'}"
        for i, (_, a) in enumerate(first)
        for j, (_, b) in enumerate(second)
        for l in range(abs(a.l - b.l), a.l + b.l + 1)
        if keep is None or f"{l}{'e' if a.p * b.p == 1 else 'o'}" == keep
    }
    drawn = [patch.get_gid() for patch in ax.patches if patch.get_gid()]
    assert {gid: drawn.count(gid) for gid in drawn} == dict.fromkeys(wanted, 3)
    assert f": {len(wanted)} path" in ax.get_title()
    out = irr.tensor_product(irr.zeros(left), irr.zeros(right), filter_ir_out=keep).irreps
    labels = [text.get_text() for text in ax.texts]
    assert {str(item) for item in (*first, *second, *out)} <= set(labels)


def test_the_error_of_each_degree_is_drawn() -> None:
    """A function that breaks degree 1 alone, and only under mirrors."""

    def fun(x: irr.IrrepsArray) -> irr.IrrepsArray:
        return irr.concatenate([x.filter("0e"), irr.IrrepsArray("1e", x.filter("1o").array), x.filter("2e")])

    ax = plots.equivariance_error(fun, 0, "0e + 1o + 2e", dtype=jnp.float32)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["mirror"].get_xdata(), [0, 1, 2])
    assert [error > 0.1 for error in lines["mirror"].get_ydata()] == [False, True, False]
    assert max(lines["rotation"].get_ydata()) < 1e-5
    assert lines["precision of float32"].get_ydata()[0] == np.finfo(np.float32).eps
    assert ax.get_yscale() == "log"


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no irreps": (
        lambda: plots.irreps("0x1o"),
        ValueError,
        "irreps expects irreps with at least one irrep, got '0x1o'",
    ),
    "high degree": (lambda: plots.spherical_harmonics("9o"), ValueError, "degrees up to 8, got 1x9o"),
    "batch of matrices": (lambda: plots.wigner_D("1o", np.ones((2, 3, 3))), ValueError, "shape (3, 3), got shape (2"),
    "not orthogonal": (lambda: plots.wigner_D("1o", 2 * np.eye(3)), ValueError, "an orthogonal matrix, got [[2.0"),
    "too large": (lambda: plots.wigner_D("400x1o", np.eye(3)), ValueError, "at most 1000 components, got 1200"),
    "no such irrep": (
        lambda: plots.clebsch_gordan("1o", "1o", "3e"),
        ValueError,
        "which are 1x0e+1x1e+1x2e, got ['3e']",
    ),
    "no path": (lambda: plots.tensor_product("1o", "1o", filter_ir_out="1o"), ValueError, "a filter that keeps some"),
    "kind": (lambda: plots.signal(one("0e", 1.0), kind="ball"), ValueError, "'sphere', 'lobes' or 'map', got 'ball'"),  # type: ignore[arg-type]
    "several": (lambda: plots.signal(irr.zeros("0e", (2,))), ValueError, "one function, got leading axes (2,)"),
    "degree twice": (lambda: plots.signal(irr.zeros("2x1o")), ValueError, "1o"),
    "an array": (lambda: plots.signal(np.ones(4)), TypeError, "a SphericalSignal, got ndarray"),  # type: ignore[arg-type]
    "no irreps out": (
        lambda: plots.equivariance_error(lambda x: x.array, 0, "1o"),
        TypeError,
        "a function with an IrrepsArray as output, got ndarray",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    call, error, message = BAD[name]
    with pytest.raises(error, match=re.escape(message)):
        call()
    assert pyplot.get_fignums() == []
