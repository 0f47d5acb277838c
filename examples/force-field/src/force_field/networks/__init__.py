"""The networks: each maps species and neighbours of the atoms to an energy of each atom."""

from typing import Any

from .allegro import Allegro
from .mace import Mace
from .nequip import NequIP

NETWORKS: dict[str, Any] = {"nequip": NequIP, "mace": Mace, "allegro": Allegro}

__all__ = ["NETWORKS", "Allegro", "Mace", "NequIP"]
