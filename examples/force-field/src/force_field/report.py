"""What the commands say: tables and plain words."""

from rich.table import Table

from .evaluation import Errors

CHEMICAL_ACCURACY = 43.4  # meV/Å, 1 kcal/mol/Å


def error_table(errors: dict[str, Errors], title: str) -> Table:
    """Errors, a column for each molecule."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in errors:
        table.add_column(name, justify="right")
    columns = list(errors.values())
    table.add_row("configurations", *(str(e.frames) for e in columns))
    rows = {
        "energy, mean absolute error, meV": "energy_mae",
        "energy, root mean square error, meV": "energy_rmse",
        "energy per atom, mean absolute error, meV": "energy_mae_per_atom",
        "forces, mean absolute error, meV/Å": "forces_mae",
        "forces, root mean square error, meV/Å": "forces_rmse",
    }
    for text, name in rows.items():
        table.add_row(text, *(_number(getattr(e, name)) for e in columns))
    for element in sorted({x for e in columns for x in e.forces_mae_by_element}):
        found = (e.forces_mae_by_element.get(element) for e in columns)
        row = f"forces on {element}, mean absolute error, meV/Å"
        table.add_row(row, *("" if x is None else _number(x) for x in found))
    return table


def _number(x: float) -> str:
    return f"{x:.1f}" if x >= 1 else f"{x:.2f}"


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
        advice = f"more data (--train, now {frames}) helps more than longer training."
    else:
        reason = f"The error on the training configurations is about the same ({training.forces_mae:.1f} meV/Å):"
        advice = "more time helps (--minutes), and with it a larger network (--size large)."
    return (
        f"On configurations that it has not seen, force components are wrong by {error:.1f} meV/Å on average, "
        f"{percent:.1f} % of their typical size, and energies by {errors.energy_mae:.1f} meV. "
        f"That is {quality}.\n{reason} {advice}"
    )
