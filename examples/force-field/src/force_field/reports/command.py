"""The command `force-field report`."""

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from force_field import checkpoint, outputs, pretrained, report
from force_field.commands import some_of, unseen_frames
from force_field.evaluation import Predictor, equivariance_error, errors
from force_field.potential import load_any, model_config, relative_graphs
from force_field.pretrained.config import public_config
from irreps_ops.checkpoint import write_file

from .page import Content, page


def write(options: argparse.Namespace, console: Console) -> int:
    """Run `force-field report` and return the exit code."""
    path = options.out or checkpoint.locate(options.checkpoint).parent / "report.html"
    outputs.check_writable(path)
    model, header = load_any(options.checkpoint, options.dtype)
    unseen = unseen_frames(options, model, header)
    graphs = relative_graphs(unseen.frames, model, ", ".join(unseen.sources))
    predictor = Predictor(model, options.dtype)
    predictions = predictor(graphs)
    start = time.perf_counter()
    predictor(graphs)  # compiled now
    seconds = time.perf_counter() - start
    overall = errors(graphs, predictions, model.elements)
    content = Content(
        name=_name(options.checkpoint),
        words=report.quality(overall),
        data=f"{', '.join(unseen.sources)}: {unseen.summary}\n{unseen.left_out} training configurations are left out.",
        frames=unseen.frames,
        graphs=graphs,
        predictions=predictions,
        elements=model.elements,
        seconds=seconds / sum(map(len, unseen.frames)),
        equivariance={options.dtype: equivariance_error(predictor, some_of(unseen.frames))},
        **_about(options.checkpoint, model),
    )
    write_file(path, page(content))
    console.print(f"report: {path}", highlight=False, soft_wrap=True)
    return 0


def _name(path: Path) -> str:
    return (
        path.resolve().name
        if path.is_dir()
        else path.resolve().parent.name
        if path.name == checkpoint.NAME
        else path.name
    )


def _about(path: Path, model: Any) -> dict[str, Any]:
    """Return network, history and settings of a model, as far as its file has them."""
    if pretrained.recognize(path) is not None:
        return {"model": str(public_config(model))}
    header = checkpoint.load_run(checkpoint.locate(path)).header
    return {
        "model": str(model_config(header)),
        "history": header["progress"].get("history", []),
        "settings": {"Network": header["model"], "Training": header["training"]},
    }
