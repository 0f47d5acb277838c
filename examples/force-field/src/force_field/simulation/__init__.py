"""Moving atoms with a force field: neighbours, dynamics, relaxation and vibrations."""

ENSEMBLES = ("nve", "nvt", "npt")
OPTIMIZERS = ("fire", "bfgs")
