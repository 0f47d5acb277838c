"""Write the stub files of our bindings: run ``python tests/make_stubs.py`` after the signature of a layer changes."""

from pathlib import Path

from irreps_ops.bindings.stubs import binding_stub
from irreps_ops.checkpoint import write_file

PACKAGES = Path(__file__).parent.parent / "packages"
STUBS = {
    PACKAGES / "irreps-haiku/src/irreps_haiku/__init__.pyi": ("haiku", "haiku.Module"),
    PACKAGES / "irreps-flax/src/irreps_flax/nnx.pyi": ("nnx", "flax.nnx.Module"),
    PACKAGES / "irreps-flax/src/irreps_flax/linen.pyi": ("linen", "flax.linen.Module"),
}

if __name__ == "__main__":
    for path, (name, base) in STUBS.items():
        write_file(path, binding_stub(name, base))
