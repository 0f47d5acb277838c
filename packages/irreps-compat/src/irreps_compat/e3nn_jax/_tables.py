"""Tables of numbers as copies that a program may change; those of irreps_core are shared and read-only."""

import numpy as np

import irreps_core as ic


def clebsch_gordan(l1: int, l2: int, l3: int) -> np.ndarray:
    """Return a copy of :func:`irreps_core.clebsch_gordan`.

    Example:
        >>> import irreps_compat.e3nn_jax as e3nn
        >>> C = e3nn.clebsch_gordan(1, 1, 0)
        >>> C *= 3**0.5
        >>> C[0, 0, 0].round(6), e3nn.clebsch_gordan(1, 1, 0)[0, 0, 0].round(6)
        (np.float64(1.0), np.float64(0.57735))
    """
    return ic.clebsch_gordan(l1, l2, l3).copy()


def generators(l: int) -> np.ndarray:
    """Return a copy of :func:`irreps_core.generators`."""
    return ic.generators(l).copy()


def su2_clebsch_gordan(j1: float, j2: float, j3: float) -> np.ndarray:
    """Return a copy of :func:`irreps_core.su2_clebsch_gordan`."""
    return ic.su2_clebsch_gordan(j1, j2, j3).copy()


def su2_generators(j: float) -> np.ndarray:
    """Return a copy of :func:`irreps_core.su2_generators`."""
    return ic.su2_generators(j).copy()


def wigner_3j(l1: int, l2: int, l3: int) -> np.ndarray:
    """Return the rotation-invariant tensor of norm 1, which is equal to :func:`clebsch_gordan`."""
    return clebsch_gordan(l1, l2, l3)


def wigner_generator_x(l: int) -> np.ndarray:
    """Return the generator of rotations about x; the present form is ``generators(l)[0]``."""
    return generators(l)[0]


def wigner_generator_y(l: int) -> np.ndarray:
    """Return the generator of rotations about y; the present form is ``generators(l)[1]``."""
    return generators(l)[1]


def wigner_generator_z(l: int) -> np.ndarray:
    """Return the generator of rotations about z; the present form is ``generators(l)[2]``."""
    return generators(l)[2]
