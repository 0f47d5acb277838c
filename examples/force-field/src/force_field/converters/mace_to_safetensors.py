"""Write a MACE model as a file that force-field reads. Run it once, where torch, mace-torch and safetensors are.

python mace_to_safetensors.py MACE.model mace.safetensors

The file `MACE.model` is executed by torch when it is read: use one from a source that you trust.
"""

import json
import sys
from typing import Any


def describe(model: Any) -> dict[str, Any]:
    """Return the configuration of a model, as JSON can represent it."""
    blocks = model.interactions
    radial = model.radial_embedding
    return {
        "class": type(model).__name__,
        "interactions": [type(block).__name__ for block in blocks],
        "hidden_irreps": [str(product.linear.irreps_out) for product in model.products],
        "lmax": int(model.spherical_harmonics.irreps_out.lmax),
        "radial_type": type(radial.bessel_fn).__name__,
        "distance_transform": type(getattr(radial, "distance_transform", None)).__name__,
        "apply_cutoff": bool(getattr(model, "apply_cutoff", True)),
        "pair_repulsion": hasattr(model, "pair_repulsion_fn"),
        "joint_embedding": hasattr(model, "joint_embedding"),
        "polynomial": int(radial.cutoff_fn.p),
        "neighbors": [float(block.avg_num_neighbors) for block in blocks],
        "readouts": [type(readout).__name__ for readout in model.readouts],
        "heads": list(getattr(model, "heads", ["Default"])),
    }


def convert(model: Any, path: Any) -> None:
    """Write a model of mace-torch.

    Args:
        model: a `ScaleShiftMACE`.
        path: the file to write, in the format safetensors.
    """
    from safetensors.torch import save_file  # here, so that the file can be read where it is not installed

    state = {name: array.detach().cpu().contiguous().clone() for name, array in model.state_dict().items()}
    state = {name: array for name, array in state.items() if array.numel() and not name.endswith("_zeroed")}
    save_file(state, path, metadata={"format": "mace", "config": json.dumps(describe(model))})


if __name__ == "__main__":
    import torch  # here, for the same reason  # pyright: ignore[reportMissingImports]

    convert(torch.load(sys.argv[1], map_location="cpu", weights_only=False), sys.argv[2])
