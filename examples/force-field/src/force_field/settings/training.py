"""The settings of training."""

from dataclasses import dataclass

from .checks import check_types

TRAINING_CHOICES = {
    "optimizer": ("amsgrad", "adam", "adamw", "muon"),
    "schedule": ("cosine", "linear", "exponential", "constant"),
    "dtype": ("float32", "float64"),
}
# A resumed run may change them.
FREE = ("devices", "epochs", "minutes", "patience", "save_every", "tensorboard")
_ABOVE_ZERO = ("batch_size", "learning_rate", "second_learning_rate", "validations", "save_every")


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a training run.

    Attributes:
        batch_size: configurations per step.
        optimizer: "muon" for linear maps, with Adam for the rest; "amsgrad"; "adam"; or "adamw", with `weight_decay`.
            On the data of the package, the errors of forces after the same time are 40 % smaller with muon than with
            amsgrad. The default for a trained model is amsgrad.
        learning_rate: the highest learning rate. Adam moves each weight by about this much per step, and all weights
            start at the order of one. With small rates they stay near their initial values, which halves the benefit
            of 50 configurations. For amsgrad, 0.1 is a good rate.
        weight_decay: of adamw and muon; it is multiplied by the learning rate.
        schedule: how the learning rate falls until the end of the run: as half a cosine or linearly to zero,
            exponentially to a hundredth, or not at all ("constant").
        warmup: number of steps in which the learning rate rises linearly.
        clip: largest norm of the gradient (0: no limit).
        energy_weight: weight of the energy error per atom in the loss.
        forces_weight: weight of the error of force components.
        stress_weight: weight of the error of stress, times volume, per atom; for data with stress.
        huber: size of an error, in units of the force scale, from which the loss grows linearly instead of
            quadratically (0: nowhere). Then single wrong or extreme targets count less.
        per_element: whether the force errors are averaged for each element before they are averaged over the elements
            of a batch, so that rare elements count as much as frequent ones.
        second_stage: completed fraction of the run from which the second stage takes its learning rate and weights
            (0: no second stage). Each stage has the whole schedule, the first alone the warm-up.
        second_learning_rate: highest learning rate of the second stage.
        second_energy_weight: weight of energies in the second stage.
        second_forces_weight: weight of forces in the second stage.
        second_stress_weight: weight of stress in the second stage.
        ema: decay of the running average of the parameters, which is used for everything except training.
        validations: number of validations in a run.
        patience: stop after this number of validations without a smaller error of forces, and keep the parameters of
            the smallest one (0: never stop early). It counts in the last stage.
        epochs: stop after this number of passes over the data (0: no limit).
        minutes: stop after this time (0: no limit), including the time before an interruption. The default limit is for
            runs without one of epochs.
        save_every: seconds between two checkpoints.
        tensorboard: whether TensorBoard's files are written too, which needs the package tensorboardX.
        lora_rank: with a trained model to begin with, train only changes of this rank of its linear layers (0: train
            all parameters).
        lora_scale: scale of these changes.
        devices: number of devices among which each batch is divided (0: all).
        seed: seed of the parameters and of the order of the data.
        dtype: "float32" or "float64".
    """

    batch_size: int = 5
    optimizer: str = "muon"
    learning_rate: float = 0.05
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: int = 200
    clip: float = 10.0
    energy_weight: float = 1.0
    forces_weight: float = 1.0
    stress_weight: float = 1.0
    huber: float = 0.0
    per_element: bool = False
    second_stage: float = 0.0
    second_learning_rate: float = 0.01
    second_energy_weight: float = 10.0
    second_forces_weight: float = 1.0
    second_stress_weight: float = 1.0
    ema: float = 0.99
    validations: int = 20
    patience: int = 0
    epochs: int = 0
    minutes: float = 3.5
    save_every: float = 20.0
    tensorboard: bool = False
    lora_rank: int = 0
    lora_scale: float = 1.0
    devices: int = 1
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check the values."""
        check_types(self)
        for name, words in TRAINING_CHOICES.items():
            if getattr(self, name) not in words:
                raise ValueError(f"expected the {name} {' or '.join(words)}, got {getattr(self, name)!r:.100}")
        if self.epochs <= 0 and self.minutes <= 0:
            raise ValueError("training needs a limit: set --epochs or --minutes above zero")
        for name in _ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} above zero, got {getattr(self, name)}")
        if self.lora_rank > 0 and self.lora_scale <= 0:
            raise ValueError(f"expected lora_scale above zero, got {self.lora_scale}")
        for name in ("ema", "second_stage"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"expected {name} from 0 to below 1, got {getattr(self, name)}")
        for name in self.__dataclass_fields__:
            if isinstance(getattr(self, name), int | float) and getattr(self, name) < 0:
                raise ValueError(f"expected {name} not below zero, got {getattr(self, name)}")
        if self.weight_decay > 0 and self.optimizer not in ("adamw", "muon"):
            raise ValueError(f"weight_decay needs the optimizer adamw or muon, got {self.optimizer}")
        if not self.energy_weight + self.forces_weight + self.stress_weight > 0:
            raise ValueError("expected one of energy_weight, forces_weight and stress_weight above zero")
