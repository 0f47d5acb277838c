"""Matrices that are not those of rotations or mirrors are refused by everything that takes a matrix."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import irreps_core as ic

X = ic.IrrepsArray("0o + 1o + 2e", np.arange(9.0))
MIRROR = np.diag([1.0, -1.0, 1.0])
# Whatever takes a matrix, and whether it takes mirrors.
TAKERS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "Irrep.D_from_matrix": (ic.Irrep("2e").D_from_matrix, True),
    "Irreps.D_from_matrix": (ic.Irreps("0e + 1o").D_from_matrix, True),
    "transform_by_matrix": (X.transform_by_matrix, True),
    "inverse_matrix": (ic.inverse_matrix, True),
    "compose_matrix, left": (lambda R: ic.compose_matrix(R, np.eye(3)), True),
    "compose_matrix, right": (lambda R: ic.compose_matrix(np.eye(3), R), True),
    "wigner_D_from_matrix": (lambda R: ic.wigner_D_from_matrix(2, R), False),
    "matrix_to_quaternion": (ic.matrix_to_quaternion, False),
    "matrix_to_angles": (ic.matrix_to_angles, False),
    "matrix_to_axis_angle": (ic.matrix_to_axis_angle, False),
    "matrix_to_log_coordinates": (ic.matrix_to_log_coordinates, False),
    "rotation_angle_from_matrix": (ic.rotation_angle_from_matrix, False),
    "rotation_angle_from_matrix, second": (lambda R: ic.rotation_angle_from_matrix(np.eye(3), R), False),
}
WRONG = {
    "2 I": (2 * np.eye(3), "differs from the identity by 3"),
    "-0.5 I": (-0.5 * np.eye(3), "by 0.75"),
    "zeros": (np.zeros((3, 3)), "by 1"),
    "ones": (np.ones((3, 3)), "by 3|by 2"),
    "shear": (np.eye(3) + 0.1 * np.eye(3, k=1), "by 0.1"),
    "projection": (np.diag([1.0, 1.0, 0.0]), "by 1"),
    "NaN": (np.full((3, 3), np.nan), "by nan"),
    "infinity": (np.diag([np.inf, 1, 1]), "by (inf|nan)"),
    "huge": (1e200 * np.eye(3), "by inf"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("taker", TAKERS)
def test_wrong_matrices_are_refused(taker: str, name: str) -> None:
    matrix, message = WRONG[name]
    with pytest.raises(ValueError, match=f"matrix is not orthogonal: .*{message}"):
        TAKERS[taker][0](matrix)


@pytest.mark.parametrize("taker", TAKERS)
def test_mirrors_are_refused_where_they_are_meaningless(taker: str) -> None:
    function, mirrors = TAKERS[taker]
    if mirrors:
        function(MIRROR)
    else:
        with pytest.raises(ValueError, match="is a mirror, of determinant -1"):
            function(MIRROR)


def test_the_message_gives_the_place_in_a_batch_and_an_empty_batch_is_right() -> None:
    R = np.tile(np.eye(3), (2, 3, 1, 1))
    R[1, 1] *= 1.5
    with pytest.raises(ValueError, match=r"matrix 4 of 6 is not orthogonal: .* by 1\.25"):
        ic.Irrep("1o").D_from_matrix(R)
    assert ic.Irrep("1o").D_from_matrix(np.zeros((0, 3, 3))).shape == (0, 3, 3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_rounding_is_allowed_and_traced_matrices_are_not_checked(dtype: str) -> None:
    jax = pytest.importorskip("jax")
    R = jax.numpy.asarray(ic.rand_matrix(np.random.default_rng(0), (500,)), dtype)
    ic.Irrep("1o").D_from_matrix(R)
    with pytest.raises(ValueError, match="orthogonal"):
        ic.Irrep("1o").D_from_matrix(2 * R)
    jax.jit(ic.Irrep("1o").D_from_matrix)(2 * R)
