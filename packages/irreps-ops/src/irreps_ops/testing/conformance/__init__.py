"""The conformance kit for pytest: ``pytest --pyargs irreps_ops.conformance --binding NAME``.

Prints the table of :mod:`irreps_ops.testing`. Options, each of which may be repeated:

* ``--binding NAME``: every layer in that framework;
* ``--layer NAME``: that layer, alone and in every framework (or in those of ``--binding``);
* ``--kernel NAME``: that executor.

Without options: every layer that is installed, alone and in every framework that is installed.
"""
