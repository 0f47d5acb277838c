"""The progress of a run, and what it reports."""

from dataclasses import dataclass, field

from force_field.settings import check_types, is_number


@dataclass
class Progress:
    """The progress of a run: everything except arrays that resuming it needs."""

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    seconds: float = 0.0
    validated: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check the values, which may come from a file."""
        check_types(self)
        columns = {"step", "seconds", "fraction", "loss", "energy_mae", "forces_mae"}
        lines = self.history if isinstance(self.history, list) else [None]
        if not all(
            isinstance(line, dict) and columns <= {*line} and all(map(is_number, line.values())) for line in lines
        ):
            raise ValueError(f"expected a history of {', '.join(sorted(columns))}, got {self.history!r:.100}")
        if min(self.epoch, self.batch, self.steps, self.seconds) < 0:
            raise ValueError(f"expected progress not below zero, got {self!r:.100}")


@dataclass(frozen=True)
class Report:
    """The result of a step.

    Attributes:
        fraction: completed fraction of the run, 0 to 1.
        loss: loss of the batch.
        force_error: root mean square error of the force components of the batch, eV/Å.
        learning_rate: of the step.
        validation: the last entry of the history if a validation followed the step, else None.
    """

    fraction: float
    loss: float
    force_error: float
    learning_rate: float
    validation: dict[str, float] | None


class DivergedError(FloatingPointError):
    """A loss, gradient or error of validation that is not finite; the message names step and configurations."""
