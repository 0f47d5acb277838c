"""Stub files of bindings: what an editor and a type checker see of modules that are made at run time.

``python -m irreps_ops.stubs BINDING BASE`` prints the stub of a binding's package: a class for each of our layers, with
the annotations of the layer's source and the signature of the module. BASE is the framework's module class::

    python -m irreps_ops.stubs haiku haiku.Module > packages/irreps-haiku/src/irreps_haiku/__init__.pyi
"""

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from ._registry import LAYERS, binding, layer

_HEAD = """\
# Made from the layers by `python -m irreps_ops.stubs {name} {base}`; not to be edited.
# fmt: off
"""
# A metaclass that makes instances in a way of its own hides the signatures from type checkers.
_BASE = """\
_T = TypeVar("_T")

class _Metaclass(type({base})):
    def __call__(cls: type[_T], *args: Any, **kwargs: Any) -> _T: ...

class _Module({base}, metaclass=_Metaclass): ...
"""
_TAIL = """\
binding: Any
__version__: str

def __getattr__(name: str) -> Any: ...  # the layers of plugins
"""

_BLANK = "\0"


def binding_stub(name: str, base: str) -> str:
    """The text of the stub file of a binding's package.

    Args:
        name: of the binding.
        base: module class of the framework, "haiku.Module" say.

    Example:
        >>> from irreps_ops.stubs import binding_stub
        >>> print(binding_stub("haiku", "haiku.Module"))  # doctest: +SKIP
        # Made from the layers by `python -m irreps_ops.stubs haiku haiku.Module`; not to be edited.
        ...
    """
    make, package = binding(name), base.rpartition(".")[0]
    imports = {name: f"from typing import {name}" for name in ("Any", "TypeVar")} | {package: f"import {package}"}
    classes = [_class_stub(make.module(cls), layer(cls), imports) for cls in sorted(LAYERS.builtin)]
    lines = sorted(set(imports.values()), key=lambda line: (line.startswith("from"), line))
    return "\n".join([_HEAD.format(name=name, base=base), *lines, "", _BASE.format(base=base), *classes, _TAIL])


def _class_stub(module: type, layer: type, imports: dict[str, str]) -> str:
    source = ast.parse(inspect.getsource(layer)).body[0]
    body = source.body if isinstance(source, ast.ClassDef) else []
    fields = {
        node.target.id: node.annotation
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    calls = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__call__"]
    calls = [node for node in calls if node.decorator_list] or calls  # overloads say more
    fields.pop("_", None)  # what stands between positional and keyword arguments
    _find_imports([*fields.values(), *calls], layer, imports)
    summary = (inspect.getdoc(layer) or "").splitlines()[0]
    lines = [f"class {layer.__name__}(_Module):", f'    """{summary}"""']
    lines += _function("__init__", _parameters(module, fields, imports), "None")
    for call in calls:
        lines += [f"    @{ast.unparse(decorator)}" for decorator in call.decorator_list]
        own = [re.sub(r"(?<!\s)=", " = ", text) for text in _split(ast.unparse(call.args)) if text[:6] != "scope:"]
        lines += _function("__call__", own, ast.unparse(call.returns) if call.returns else "Any")
    return "\n".join([*lines, ""])


def _parameters(module: type, fields: dict[str, ast.expr], imports: dict[str, str]) -> list[str]:
    """The parameters of the module; annotated as the fields of the layer, those that the framework adds as there."""
    found, keyword_only = ["self"], False
    for p in inspect.signature(module).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            found.append("*")
            keyword_only = True
        annotation = ast.unparse(fields[p.name]) if p.name in fields else _annotation(p, imports)
        simple = p.default is None or isinstance(p.default, bool | int | float | str)
        default = "" if p.default is p.empty else f" = {p.default!r}" if simple else " = ..."
        found.append(f"{p.name}: {annotation}{default}")
    return found


def _annotation(p: inspect.Parameter, imports: dict[str, str]) -> str:
    if p.name == "name":
        return "str | None"
    if not isinstance(p.annotation, type) or p.annotation is p.empty:
        return "Any"
    imports[p.annotation.__name__] = f"from {p.annotation.__module__} import {p.annotation.__name__}"
    return p.annotation.__name__


def _find_imports(nodes: Iterable[ast.AST], layer: Any, imports: dict[str, str]) -> None:
    """Where the names in the annotations come from, by the imports of the layer's module."""
    home = sys.modules[layer.__module__]
    known: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(home)).body:
        if isinstance(node, ast.ImportFrom):
            package = layer.__module__.rsplit(".", node.level)[0] if node.level else ""
            origin = ".".join(part for part in (package, node.module) if part)
            for alias in node.names:
                known[alias.asname or alias.name] = f"from {origin} import {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name] = f"import {alias.name}"
    for node in nodes:
        # The body of a function is not its annotation.
        parts = [node] if isinstance(node, ast.expr) else [node.args, node.returns, *node.decorator_list]  # type: ignore
        for part in parts:
            for name in ast.walk(part or ast.Pass()):
                if isinstance(name, ast.Name) and name.id not in vars(builtins) and name.id != "Scope":
                    imports[name.id] = known.get(name.id, f"from {layer.__module__} import {name.id}")


def _split(arguments: str) -> list[str]:
    """The arguments of a function, one by one: commas within brackets divide none."""
    parts, depth = [""], 0
    for letter in arguments:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _function(name: str, parameters: list[str], returns: str) -> list[str]:
    """The lines of a function, filled up to 120 columns, broken after arguments."""
    kept = [text.replace(" ", _BLANK) for text in (*parameters[:-1], f"{parameters[-1]}) -> {returns}: ...")]
    lines = textwrap.wrap(f"    def {name}({', '.join(kept)}", 120, subsequent_indent=" " * 8, break_long_words=False)
    return [line.replace(_BLANK, " ") for line in lines]


if __name__ == "__main__":
    print(binding_stub(*sys.argv[1:]), end="")
