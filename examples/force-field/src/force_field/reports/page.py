"""The page of a report."""

import html
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from ase import Atoms

import irreps_ops as irr
from force_field.evaluation import Errors, Prediction, errors, errors_by_molecule
from force_field.graphs import graph_sizes

from . import figures

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2530; --soft: #5c6a7d; --line: #d9dfe7; --card: #f5f7fa; --page: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9f0; --soft: #97a4b6; --line: #333d4a; --card: #1c232c; --page: #13181f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1060px; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 2.5rem 0 .8rem; font-size: 1.15rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
p { margin: .4rem 0; }
.soft { color: var(--soft); white-space: pre-line; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile { background: var(--card); border-radius: 10px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.55rem; font-variant-numeric: tabular-nums; }
.tile small { font-size: .85rem; font-weight: 600; }
.tile span { color: var(--soft); font-size: .85rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 1.2rem 2rem; }
figure { margin: 0; max-width: 500px; }
figcaption { color: var(--soft); font-size: .85rem; }
svg { width: 100%; height: auto; }
svg text { font-family: system-ui, sans-serif; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; font-weight: normal; }
th { color: var(--soft); font-weight: 600; }
.settings td { text-align: left; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Content:
    """What a report shows.

    Attributes:
        name: of the force field.
        model: a few words about its network.
        words: an explanation of its errors.
        data: a description of the data.
        frames: configurations that it was not trained on.
        graphs: their graphs, with the reference values.
        predictions: its predictions for them.
        elements: atomic numbers that it knows.
        history: validations during the training.
        equivariance: by dtype, the error of equivariance.
        seconds: time of a prediction per atom.
        settings: by section, names and values.
    """

    name: str
    model: str
    words: str
    data: str
    frames: Sequence[Atoms]
    graphs: Sequence[irr.Graph]
    predictions: Sequence[Prediction]
    elements: Sequence[int]
    history: Sequence[dict[str, float]] = ()
    equivariance: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def page(content: Content) -> str:
    """Return the report as HTML; it refers to no other file and to no server."""
    overall = errors(content.graphs, content.predictions, content.elements)
    parts = [
        f"<h1>{_text(content.name)}</h1><p class=soft>{_text(content.model)}</p>",
        _tiles(content, overall),
        f"<p class=soft>{_text(content.words)}</p>",
        f"<h2>Predictions</h2><div class=figures>{_figures(content)}</div>",
        f"<h2>Errors</h2>{_errors(content, overall)}",
        f"<h2>Data</h2><p class=soft>{_text(content.data)}</p>",
        "<h2>Settings</h2>",
        *(_settings(section, values) for section, values in content.settings.items()),
        f"<p class=soft>{_text(_environment())}</p>",
    ]
    title = _text(content.name)
    return (
        f'<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _tiles(content: Content, overall: Errors) -> str:
    tiles = [
        (f"{_number(overall.forces_mae)} meV/Å", "forces, mean absolute error"),
        (f"{_number(overall.energy_mae_per_atom)} meV/atom", "energy, mean absolute error"),
    ]
    if overall.stress_mae is not None:
        tiles.append((f"{_number(overall.stress_mae)} meV/Å³", "stress, mean absolute error"))
    tiles.append((str(overall.frames), "configurations not trained on"))
    if content.seconds > 0:
        tiles.append((f"{_number(1e6 * content.seconds)} µs", "per atom and prediction, in batches"))
    tiles += [(f"{error:.0e}", f"error of equivariance, {dtype}") for dtype, error in content.equivariance.items()]
    cells = []
    for value, name in tiles:
        number, _, unit = value.partition(" ")
        cells.append(f"<div class=tile><b>{number} <small>{_text(unit)}</small></b><span>{_text(name)}</span></div>")
    return f"<div class=tiles>{''.join(cells)}</div>"


def _figures(content: Content) -> str:
    graphs, predictions = content.graphs, content.predictions
    atoms = graph_sizes(graphs)[:, 0]
    energy = np.array([[g.globals.energy, p.energy] for g, p in zip(graphs, predictions, strict=True)]) / atoms[:, None]
    energy -= energy[:, 0].mean()
    truth = np.concatenate([g.nodes.forces for g in graphs])
    forces = np.concatenate([p.forces for p in predictions])
    made = [
        (figures.parity("energy", energy[:, 0], energy[:, 1], "eV/atom"), "Energies relative to their mean"),
        (figures.parity("forces", truth.ravel(), forces.ravel(), "eV/Å"), "Components of forces"),
    ]
    stressed = [(g, p) for g, p in zip(graphs, predictions, strict=True) if g.globals.has_stress]
    if stressed:
        wanted = np.concatenate([np.ravel(g.globals.stress) for g, _ in stressed])
        found = np.concatenate([np.ravel(p.strain_derivative / g.globals.volume) for g, p in stressed])
        made.append((figures.parity("stress", wanted, found, "eV/Å³"), "Components of stress"))
    if content.history:
        made.append((figures.learning_curve(content.history), "Validation during the training"))
    made.append(
        (figures.error_against_force(truth, forces - truth), "Error against force: median, and 90 of 100 atoms")
    )
    return "".join(f"<figure>{svg}<figcaption>{caption}</figcaption></figure>" for svg, caption in made)


def _errors(content: Content, overall: Errors) -> str:
    tables = [
        _table(
            "molecule or cell",
            errors_by_molecule(content.frames, content.graphs, content.predictions, content.elements),
        )
    ]
    kinds = [str(atoms.info.get("config_type", "")) for atoms in content.frames]
    if any(kinds):
        rows = {}
        for kind in dict.fromkeys(kinds):
            chosen = [i for i, name in enumerate(kinds) if name == kind]
            graphs, predictions = [content.graphs[i] for i in chosen], [content.predictions[i] for i in chosen]
            rows[kind or "without type"] = errors(graphs, predictions, content.elements)
        tables.append(_table("type of configuration", rows))
    cells = "".join(f"<tr><td>{e}</td><td>{_number(x)}</td></tr>" for e, x in overall.forces_mae_by_element.items())
    tables.append(f"<table><tr><th>element</th><th>forces, meV/Å</th></tr>{cells}</table>")
    return "".join(f"<div class=scroll>{table}</div><p>" for table in tables)


def _table(first: str, rows: Mapping[str, Errors]) -> str:
    heads = [first, "configurations", "energy, meV", "meV/atom", "forces, meV/Å", "root mean square", "stress, meV/Å³"]
    has_stress, lines = any(e.stress_mae is not None for e in rows.values()), []
    heads = heads if has_stress else heads[:-1]
    for name, e in rows.items():
        values = (e.energy_mae, e.energy_mae_per_atom, e.forces_mae, e.forces_rmse)
        stress = "" if e.stress_mae is None else _number(e.stress_mae)
        cells = [_text(name), str(e.frames), *map(_number, values), *([stress] if has_stress else [])]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(lines)}</table>"


def _settings(section: str, values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in values.items())
    return f"<details><summary>{_text(section)}</summary><table class=settings>{rows}</table></details>"


def _environment() -> str:
    """Return the versions of the program and of its libraries, and the devices."""
    names = ("force-field", "irreps-ops", "jax", "flax", "ase")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    devices = sorted({f"{device.platform} ({device.device_kind})" for device in jax.devices()})
    return f"{libraries}, Python {platform.python_version()}; {', '.join(devices)}"
