"""The configuration of a network."""

from dataclasses import dataclass

from .checks import check_types


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network.

    Attributes:
        elements: atomic numbers that it knows, ascending.
        network: "nequip", "mace" or "allegro".
        channels: features of each degree.
        layers: number of interactions.
        lmax: highest degree.
        cutoff: radius of the neighbourhood of an atom, in Å.
        radial_basis: number of radial functions.
        radial_hidden: neurons in each hidden layer of the radial network.
        parity: "natural": features of the parity of their spherical harmonic; "full": of both parities (nequip).
        correlation: highest order of the products of features of an atom (mace).
        lmax_hidden: highest degree of the features between interactions (mace).
        envelope: "polynomial", which falls from the atom on, or "xplor", from nine tenths of the cutoff.
        transform: "none": Bessel functions of the distance; "agnesi": sines of a distance that is transformed to (0, 1)
            in units of the covalent radii.
        trained_frequencies: whether the frequencies of the radial functions are trained.
        zbl: whether the repulsion of screened nuclei is added, which keeps atoms apart where there are no data.
    """

    elements: tuple[int, ...]
    network: str = "nequip"
    channels: int = 32
    layers: int = 3
    lmax: int = 2
    cutoff: float = 4.0
    radial_basis: int = 8
    radial_hidden: int = 64
    parity: str = "natural"
    correlation: int = 3
    lmax_hidden: int = 1
    envelope: str = "polynomial"
    transform: str = "none"
    trained_frequencies: bool = False
    zbl: bool = False

    def __str__(self) -> str:
        """Return a few words for users."""
        return f"{self.network}, {self.layers} layers of {self.channels} channels, degrees 0 to {self.lmax}"

    def __post_init__(self) -> None:
        """Check the values."""
        check_types(self)
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"expected {name} from {least} to {most}, got {getattr(self, name)}")
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise ValueError(f"expected {name} to be {' or '.join(words)}, got {getattr(self, name)!r:.100}")
        if not self.cutoff > 0:
            raise ValueError(f"expected cutoff above zero, got {self.cutoff}")
        if not self.elements or not all(type(z) is int and 1 <= z <= 118 for z in self.elements):
            raise ValueError(f"expected atomic numbers from 1 to 118, got {self.elements!r:.100}")


# Far beyond useful networks; a damaged header does not start a computation without end.
_RANGES = {
    "channels": (1, 4096),
    "layers": (1, 100),
    "lmax": (0, 10),
    "radial_basis": (1, 1000),
    "radial_hidden": (1, 10_000),
    "correlation": (1, 4),
    "lmax_hidden": (0, 10),
}
CHOICES = {
    "network": ("nequip", "mace", "allegro"),
    "parity": ("natural", "full"),
    "envelope": ("polynomial", "xplor"),
    "transform": ("none", "agnesi"),
}

LARGE_FROM = 10.0  # minutes of training from which a larger network is better
# A small network learns most in a few minutes; given more time, a larger one learns more from the same data.
SIZES = {
    "S": {"channels": 32},
    "M": {"channels": 64},
    "L": {"channels": 128, "lmax": 3, "layers": 4},
}
