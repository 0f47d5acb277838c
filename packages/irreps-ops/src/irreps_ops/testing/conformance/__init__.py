"""Conformance tests under pytest: ``python -m irreps_ops.testing --binding NAME``.

The command prints a table of the tests. Options, each of which may be repeated:

* ``--binding NAME``: test every layer in that framework;
* ``--layer NAME``: test that layer, on its own and in every framework (or in those of ``--binding``);
* ``--executor NAME``: test that executor.

Without options it tests every installed layer, on its own and in every installed framework. All other options are
pytest's. The command is short for::

    pytest -p irreps_ops.testing.options --pyargs irreps_ops.testing.conformance --binding NAME
"""
