"""The settings of training."""

from dataclasses import dataclass

from .checks import check_types


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a training run.

    Attributes:
        batch_size: configurations per step.
        learning_rate: the highest learning rate. Adam moves each weight by about this much per step, and all weights
            start at the order of one. With small rates they stay near their initial values, which halves the benefit
            of 50 configurations.
        energy_weight: weight of the energy error per atom in the loss.
        forces_weight: weight of the error of force components.
        stress_weight: weight of the error of stress, times volume, per atom; for data with stress.
        huber: size of an error, in units of the force scale, from which the loss grows linearly instead of
            quadratically (0: nowhere). Then single wrong or extreme targets count less.
        ema: decay of the running average of the parameters, which is used for everything except training.
        epochs: stop after this number of passes over the data (0: no limit).
        minutes: stop after this time (0: no limit), including the time before an interruption.
        seed: seed of the parameters and of the order of the data.
        dtype: "float32" or "float64".
    """

    batch_size: int = 5
    learning_rate: float = 0.1
    energy_weight: float = 1.0
    forces_weight: float = 1.0
    stress_weight: float = 1.0
    huber: float = 0.0
    ema: float = 0.99
    epochs: int = 0
    minutes: float = 3.5
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check the values."""
        check_types(self)
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"expected the dtype float32 or float64, got {self.dtype!r:.100}")
        if self.seed < 0:
            raise ValueError(f"expected seed not below zero, got {self.seed}")
        if self.epochs <= 0 and self.minutes <= 0:
            raise ValueError("training needs a limit: set --epochs or --minutes above zero")
        for name in ("batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} above zero, got {getattr(self, name)}")
        for name in ("energy_weight", "forces_weight", "stress_weight", "huber"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"expected {name} not below zero, got {getattr(self, name)}")
