"""Output of the commands: tables, and explanations in words."""

from rich.table import Table

from .evaluation import Errors

CHEMICAL_ACCURACY = 43.4  # meV/Å, 1 kcal/mol/Å


def error_table(errors: dict[str, Errors], title: str) -> Table:
    """Return a table of errors, with a column for each molecule."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in errors:
        table.add_column(name, justify="right")
    columns = list(errors.values())
    table.add_row("configurations", *(str(e.frames) for e in columns))
    lines = {
        "energy, mean absolute error, meV": "energy_mae",
        "energy, root mean square error, meV": "energy_rmse",
        "energy per atom, mean absolute error, meV": "energy_mae_per_atom",
        "forces, mean absolute error, meV/Å": "forces_mae",
        "forces, root mean square error, meV/Å": "forces_rmse",
    }
    for text, name in lines.items():
        table.add_row(text, *(_number(getattr(e, name)) for e in columns))
    if any(e.stress_mae is not None for e in columns):
        found = ("" if e.stress_mae is None else _number(e.stress_mae) for e in columns)
        table.add_row("stress, mean absolute error, meV/Å^3", *found)
    for element in sorted({x for e in columns for x in e.forces_mae_by_element}):
        found = (e.forces_mae_by_element.get(element) for e in columns)
        row = f"forces on {element}, mean absolute error, meV/Å"
        table.add_row(row, *("" if x is None else _number(x) for x in found))
    return table


def _number(x: float) -> str:
    return f"{x:.1f}" if x >= 1 else f"{x:.2f}"


def in_words(errors: Errors, training: Errors, frames: int) -> str:
    """Explain how accurate the force field is, and how to improve it.

    Args:
        errors: validation errors.
        training: errors on training configurations.
        frames: number of training configurations.
    """
    name, unit = ("forces_mae", "meV/Å") if errors.forces_rms > 0 else ("energy_mae", "meV")
    error, of_training = getattr(errors, name), getattr(training, name)
    if of_training < 0.6 * error:
        reason = f"The error on training configurations is much smaller ({of_training:.1f} {unit}):"
        advice = f"more data (--train, now {frames}) helps more than longer training."
    else:
        reason = f"The error on training configurations is similar ({of_training:.1f} {unit}):"
        advice = "longer training (--minutes) helps, and so does a larger network (--size M or L)."
    return f"{quality(errors)}\n{reason} {advice}"


def quality(errors: Errors) -> str:
    """Explain how accurate a force field with these errors on unseen configurations is."""
    error = errors.forces_mae
    if errors.forces_rms == 0:
        return (
            f"On unseen configurations, the mean absolute error of energies is {errors.energy_mae:.1f} meV. All their "
            "forces are zero, as those of isolated atoms: they do not tell how accurate forces are."
        )
    share = f"{100 * error / errors.forces_rms:.1f} % of their root mean square, "
    if error < CHEMICAL_ACCURACY / 2:
        found = "very good: suitable for molecular dynamics near the temperature of the data"
    elif error < CHEMICAL_ACCURACY:
        found = "good: within chemical accuracy (1 kcal/mol/Å), suitable for molecular dynamics near the data"
    elif error < 2 * CHEMICAL_ACCURACY:
        found = "fair: suitable for relaxations and short dynamics, not yet within chemical accuracy (43 meV/Å)"
    else:
        found = "poor: suitable for first tests only"
    return (
        f"On unseen configurations, the mean absolute error of force components is {error:.1f} meV/Å, {share}"
        f"and that of energies is {errors.energy_mae:.1f} meV. This is {found}."
    )
