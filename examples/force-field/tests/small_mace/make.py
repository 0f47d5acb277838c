"""Write a small random MACE model and its results; run once where torch, mace-torch and safetensors are.

python make.py
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from ase import Atoms

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1] / "src" / "force_field" / "converters"))
torch.serialization.add_safe_globals([slice])  # which e3nn 0.4.4 reads

import mace_to_safetensors  # noqa: E402
from e3nn import o3  # noqa: E402
from mace import modules  # noqa: E402
from mace.data import AtomicData, config_from_atoms  # noqa: E402
from mace.tools import AtomicNumberTable  # noqa: E402
from mace.tools.torch_geometric.dataloader import DataLoader  # noqa: E402

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
BLOCK = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
model = modules.ScaleShiftMACE(
    atomic_inter_scale=0.8,
    atomic_inter_shift=0.1,
    r_max=3.0,
    num_bessel=4,
    num_polynomial_cutoff=5,
    max_ell=2,
    interaction_cls=BLOCK,
    interaction_cls_first=BLOCK,
    num_interactions=2,
    num_elements=3,
    hidden_irreps=o3.Irreps("3x0e + 3x1o"),
    MLP_irreps=o3.Irreps("4x0e"),
    atomic_energies=np.array([-1.0, -2.0, -3.0]),
    avg_num_neighbors=1.5,
    atomic_numbers=[1, 6, 8],
    correlation=3,
    gate=torch.nn.functional.silu,
    radial_MLP=[5, 5, 5],
)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(1.0 * torch.randn_like(parameter))
mace_to_safetensors.convert(model, FOLDER / "model.safetensors")
content = (FOLDER / "model.safetensors").read_bytes()
(FOLDER / "model.safetensors").unlink()
(FOLDER / "model.safetensors.gz").write_bytes(gzip.compress(content, 9, mtime=0))
atoms = Atoms(
    "OH2CH",
    positions=[[0, 0, 0.1], [0.95, 0.1, 0], [-0.3, 0.9, 0.1], [0.2, -0.4, 1.4], [1.1, 0.3, 2.2]],
    cell=[[4.1, 0, 0], [0.3, 4.4, 0], [0, 0, 12]],
    pbc=[True, True, False],
)
config = config_from_atoms(atoms)
data = AtomicData.from_config(config, z_table=AtomicNumberTable([1, 6, 8]), cutoff=3.0, heads=["Default"])
found = model(next(iter(DataLoader([data], batch_size=1))).to_dict(), compute_stress=True, compute_virials=True)
results = {name: found[name].detach().numpy().tolist() for name in ("node_energy", "forces", "virials")}
structure = {
    "numbers": atoms.numbers.tolist(),
    "positions": atoms.positions.tolist(),
    "cell": atoms.cell.tolist(),
    "pbc": atoms.pbc.tolist(),
}
(FOLDER / "results.json").write_text(json.dumps({**structure, **results}, indent=1) + "\n")
