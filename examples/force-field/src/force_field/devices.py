"""The devices that a command uses."""

from typing import Any

import jax

from .errors import UsageError


def first_devices(count: int) -> list[Any]:
    """Return this number of the devices that JAX finds, of all processes together; 0: all.

    Raises:
        UsageError: there are fewer devices, or the number is negative.
    """
    found = jax.devices()
    if not 0 <= count <= len(found):
        raise UsageError(f"expected at most {len(found)} devices, as many as JAX finds, got {count}")
    return found[: count or None]
