"""What the commands say: tables and plain words."""

from rich.table import Table

from .evaluation import Errors

CHEMICAL_ACCURACY = 43.4  # meV/Å, 1 kcal/mol/Å


def error_table(errors: dict[str, Errors], title: str) -> Table:
    """Errors per molecule, one line each."""
    elements = sorted({name for e in errors.values() for name in e.forces_mae_by_element})
    table = Table(title=title, title_justify="left", caption="MAE/RMSE: mean absolute/root mean square error")
    names = ["", "frames", "energy MAE\nmeV", "RMSE\nmeV", "MAE\nmeV/atom", "forces MAE\nmeV/Å", "RMSE\nmeV/Å"]
    for name in [*names, *(f"MAE on {element}\nmeV/Å" for element in elements)]:
        table.add_column(name, justify="right" if name else "left")
    for name, e in errors.items():
        numbers = [e.energy_mae, e.energy_rmse, e.energy_mae_per_atom, e.forces_mae, e.forces_rmse]
        by_element = [f"{e.forces_mae_by_element[x]:.1f}" if x in e.forces_mae_by_element else "" for x in elements]
        table.add_row(name, str(e.frames), *(f"{x:.1f}" if x >= 1 else f"{x:.2f}" for x in numbers), *by_element)
    return table


def in_words(errors: Errors, training: Errors, frames: int) -> str:
    """How good the force field is, and what to try next.

    Args:
        errors: in validation.
        training: on configurations that were trained on.
        frames: how many those are.
    """
    error, percent = errors.forces_mae, 100 * errors.forces_mae / errors.forces_rms
    if error < CHEMICAL_ACCURACY / 2:
        quality = "very good: fit for molecular dynamics near the temperature of the data"
    elif error < CHEMICAL_ACCURACY:
        quality = "good: within chemical accuracy (1 kcal/mol/Å), fit for molecular dynamics near the data"
    elif error < 2 * CHEMICAL_ACCURACY:
        quality = "fair: fit for relaxations and short dynamics, not yet within chemical accuracy (43 meV/Å)"
    else:
        quality = "poor: fit for a first look only"
    if training.forces_mae < 0.6 * error:
        reason = f"The error on the training configurations is much smaller ({training.forces_mae:.1f} meV/Å):"
        advice = f"more data helps most (--train, now {frames}), more time little."
    else:
        reason = f"The error on the training configurations is about the same ({training.forces_mae:.1f} meV/Å):"
        advice = "more time helps (--minutes), and then a larger model (--channels, --layers)."
    return (
        f"On configurations that it has not seen, force components are wrong by {error:.1f} meV/Å on average, "
        f"{percent:.1f} % of their typical size, and energies by {errors.energy_mae:.1f} meV. "
        f"That is {quality}.\n{reason} {advice}"
    )
