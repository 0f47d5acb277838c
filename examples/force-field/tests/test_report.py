"""The report as HTML: complete, self-contained, and with the numbers that belong to the predictions."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
from ase import Atoms

import irreps_ops as irr
from force_field import report
from force_field.evaluation import Errors, Prediction
from force_field.graphs import AtomData, GraphData
from force_field.reports.page import Content, page

NONE = np.zeros(0, np.int32)


class Reader(HTMLParser):
    """Collect tags that are open, references to other places, ids and text."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.figures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        if tag not in ("meta", "p", "br", "tr", "td", "th", "link"):
            self.stack.append(tag)
        self.figures += tag == "svg"
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "data"):
                self.references.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "p", "br", "tr", "td", "th", "link"):
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("p", "tr", "td", "th"):
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def content(count: int, stress: bool, **changes: Any) -> Content:
    rng = np.random.default_rng(0)
    frames, graphs, predictions = [], [], []
    for k in range(count):
        frames.append(Atoms("H2O" if k % 2 else "H2"))
        n = len(frames[-1])
        wanted = GraphData(float(k), 10.0, np.full((3, 3), 0.1 * k), stress)
        forces = rng.normal(size=(n, 3))
        species = np.array([(1, 8).index(z) for z in frames[-1].numbers])
        graphs.append(irr.Graph(AtomData(species, np.zeros((n, 3)), forces), NONE, NONE, np.zeros((0, 3)), wanted))
        energies = np.array([k + 0.012, *[0.0] * (n - 1)])
        predictions.append(Prediction(energies, forces + 0.025, np.full((3, 3), 1.0 * k + 0.07)))
    given: dict[str, Any] = {
        "name": "a <b> & c", "model": "nequip", "words": "good", "data": "data", "frames": frames, "graphs": graphs,
        "predictions": predictions, "elements": (1, 8),
    }  # fmt: skip
    return Content(**{**given, **changes})


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.stack == []
    assert all(reference.startswith(("#", "data:")) for reference in reader.references)
    assert len(set(reader.ids)) == len(reader.ids)  # of all figures
    return reader


def test_a_report_has_its_numbers_and_refers_to_nothing() -> None:
    history = [{"seconds": 60.0 * k, "forces_mae": 50.0 / k, "energy_mae": 9.0} for k in (1, 2, 3)]
    settings = {"Training": {"epochs": 17}, "Network": {"channels": 32}}
    found = content(40, True, history=history, settings=settings, equivariance={"float32": 2e-6}, seconds=3e-5)
    for atoms in found.frames:
        atoms.info["config_type"] = "hot"
    text = page(found)
    reader = read(text)
    words = " ".join(reader.text)
    # Errors: 25 meV/Å, 12 meV, 7 meV/Å^3, 6 meV per atom in H2 and 4 in water.
    for expected in (
        "25.0 meV/Å",
        "5 meV/atom",
        "7 meV/Å³",
        "2e-06",
        "30.0 µs",
        "H2O",
        "hot",
        "epochs",
        "17",
        "channels",
    ):
        assert expected in words.replace("  ", " "), expected
    assert "a <b> & c" in words
    assert "<b> & c" not in text
    assert reader.figures == 5
    assert "http" not in text.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    )


def test_words_judge_forces_only_where_the_data_have_them() -> None:
    good = Errors(
        5, 3.0, 4.0, 1.0, forces_mae=1.0, forces_rmse=2.0, forces_mae_by_element={}, forces_rms=900.0, stress_mae=None
    )
    training = replace(good, energy_mae=1.0, forces_mae=0.9)
    with_forces = report.in_words(good, training, 7)
    assert "very good" in with_forces
    assert "training configurations is similar (0.9 meV/Å)" in with_forces
    words = report.in_words(replace(good, forces_rms=0.0), replace(training, forces_rms=0.0), 7)
    assert "error of energies is 3.0 meV" in words
    assert "do not tell how accurate forces are" in words
    assert "training configurations is much smaller (1.0 meV)" in words
    assert not any(part in words for part in ("good", "suitable", "dynamics", "meV/Å"))


def test_a_report_of_one_lone_atom_without_history() -> None:
    wanted = GraphData(1.0, 0.0, np.zeros((3, 3)), False)
    graph = irr.Graph(
        AtomData(np.zeros(1, int), np.zeros((1, 3)), np.zeros((1, 3))), NONE, NONE, np.zeros((0, 3)), wanted
    )
    prediction = Prediction(np.ones(1), np.zeros((1, 3)), np.zeros((3, 3)))
    reader = read(page(content(0, False, frames=[Atoms("H")], graphs=[graph], predictions=[prediction])))
    assert reader.figures == 3
