"""The compute core, for people who write executors or operations.

Every operation of irreps_ops is a :class:`Polynomial`, a sparse multilinear map between channel-contiguous operands.
:func:`evaluate` runs one. Each of its derivatives is a polynomial again, so an executor has one thing to implement.

* describe: :class:`Polynomial`, :class:`Operand`, its :class:`Access` (``BATCHED``, ``BROADCAST``) or :class:`Index`,
  :class:`Path`, :class:`Coefficients`;
* run: :func:`evaluate`, :func:`use_executor`, :func:`checked`;
* parts of arrays as operands: :class:`Part`, :class:`View`;
* write an executor: :class:`Executor`, :class:`ViewsExecutor` with :class:`Views`, :class:`Contraction`,
  :func:`executors`, :func:`cheapest`, :func:`why_not`.
"""

from irreps_core import set_module

from ._contraction import Contraction
from ._dispatch import Executor, ExecutorRefused, ViewsExecutor, cheapest, executors, why_not
from ._polynomial import Polynomial
from ._primitive import evaluate
from ._rewrite import checked, use_executor
from ._terms import Access, Coefficients, Index, Operand, Path
from ._views import Part, View, Views

BATCHED = Access.BATCHED
"""The operand has an entry for each element of the batch."""
BROADCAST = Access.BROADCAST
"""The operand has one entry for the whole batch."""

__all__ = [
    "BATCHED",
    "BROADCAST",
    "Access",
    "Coefficients",
    "Contraction",
    "Executor",
    "ExecutorRefused",
    "Index",
    "Operand",
    "Part",
    "Path",
    "Polynomial",
    "View",
    "Views",
    "ViewsExecutor",
    "cheapest",
    "checked",
    "evaluate",
    "executors",
    "use_executor",
    "why_not",
]

set_module(__name__, [globals()[_name] for _name in __all__])
