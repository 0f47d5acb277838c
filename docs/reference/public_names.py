"""Public names of the packages and where each is defined, read from the sources without importing them.

The site's reference (`pages.py`) and the tests (`tests/test_public_names.py`) are made from this list.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

ROOT = Path(__file__).parents[2]
SOURCES = {path.name: path for path in ROOT.glob("packages/*/src/*") if (path / "__init__.py").exists()}

# Public modules, lowest first: the first that offers an object is its home, the others re-export it.
MODULES = (
    "irreps_core",
    "irreps_core.irrep",
    "irreps_core.perm",
    "irreps_core.plugins",
    "irreps_core.testing",
    "irreps_ops.compute",
    "irreps_ops.bindings",
    "irreps_ops.bindings.stubs",
    "irreps_ops",
    "irreps_ops.checkpoint",
    "irreps_ops.testing",
    "irreps_ops.testing.conformance",
    "irreps_ops.plots",
    "irreps_flax.nnx",
    "irreps_flax.linen",
    "irreps_haiku",
    "irreps_compat.e3nn_jax",
    "irreps_compat.e3nn_jax.legacy",
    "irreps_compat.e3nn_jax.utils",
    "irreps_compat.e3nn_jax.util",
    "irreps_compat.e3nn_jax.util.decorators",
    "irreps_compat.e3nn_jax.haiku",
    "irreps_compat.e3nn_jax.flax",
    "irreps_compat.e3nn_jax.equinox",
    "irreps_compat.e3nn_jax.experimental.linear_shtp",
    "irreps_compat.e3nn_jax.experimental.point_convolution",
    "irreps_compat.e3nn_jax.experimental.transformer",
    "irreps_compat.e3nn_jax.experimental.voxel_convolution",
    "irreps_compat.e3nn_jax.experimental.voxel_pooling",
    "irreps_compat.e3nn",
    "irreps_llvm",
)

# A class that a module makes when it is asked for it, and the layer that describes it.
MADE = {("irreps_compat.e3nn_jax.equinox", "Linear"): ("irreps_compat.e3nn_jax._layers._equinox", "EquinoxLinear")}

Node: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Origin:
    """The definition of an object.

    Attributes:
        module: the module that contains the definition, or that is the object.
        name: its name there; empty for a module.
        node: its syntax tree.
    """

    module: str
    name: str
    node: Node

    @property
    def kind(self) -> str:
        """One of ``"module"``, ``"class"``, ``"function"`` and ``"data"``."""
        if isinstance(self.node, ast.Module | ast.ClassDef):
            return type(self.node).__name__.removesuffix("Def").lower()
        return "data" if isinstance(self.node, ast.Assign | ast.AnnAssign) else "function"

    @property
    def summary(self) -> str:
        """First line of the docstring; empty without one."""
        return self._docstring().partition("\n")[0]

    def _docstring(self) -> str:
        """Return the docstring; of data, the text after it, or a reference to the function that it wraps."""
        if not isinstance(self.node, ast.Assign | ast.AnnAssign):
            return ast.get_docstring(self.node) or ""
        following = next((after for node, after in pairwise(body(self.module)) if node is self.node), None)
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            return str(following.value.value)
        match self.node.value:
            case ast.Call(args=[ast.Attribute(value=ast.Name(id="ic" | "irr" as package), attr=name)]):
                return f"See :func:`{'irreps_core' if package == 'ic' else 'irreps_ops'}.{name}`."
        return ""


@cache
def chapters() -> dict[str, list[str]]:
    """Return the chapters of each package, lowest first, as `tests/test_import_order.py` states them."""
    order = [node for node in tree(ROOT / "tests/test_import_order.py").body if "CHAPTERS" in targets(node)]
    return ast.literal_eval(getattr(order[0], "value"))  # noqa: B009 - an assignment has one


@cache
def source(module: str, suffix: str = ".py") -> Path | None:
    """Return the file of a module, or its stub file with the suffix ``".pyi"``; None if there is none."""
    package, *rest = module.split(".")
    if package not in SOURCES:
        return None
    base = SOURCES[package].joinpath(*rest)
    found = (base / f"__init__{suffix}", base.parent / f"{base.name}{suffix}")
    return next((path for path in found if path.exists()), None)


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def body(module: str) -> list[ast.stmt]:
    """Return the statements of a module at its top level."""
    path = source(module)
    return tree(path).body if path else []


def literal_all(module: str) -> list[str] | None:
    """Return ``__all__`` of a module if it is a literal list; None if there is none.

    Raises:
        ValueError: ``__all__`` is computed.
    """
    path = source(module)
    assigned = [node for node in statements(tree(path)) if "__all__" in targets(node)] if path else []
    value = getattr(assigned[0], "value", None) if assigned else None
    if value is None:
        return None
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise ValueError(f"__all__ of {module} must be a literal list, so that tools can read it") from None


@cache
def public_names(module: str) -> tuple[str, ...]:
    """Return the public names of a module.

    These are the names in ``__all__``. A module without ``__all__`` has those that it defines and those that it imports
    as ``from x import name as name``; if it has a stub file, those of the stub file as well.
    """
    listed = literal_all(module)
    if listed is not None:
        return tuple(sorted(listed))
    found = set[str]()
    for path in (source(module), source(module, ".pyi")):
        for node in statements(tree(path)) if path else ():
            if isinstance(node, ast.ImportFrom):
                found.update(alias.name for alias in node.names if alias.asname == alias.name)
            else:
                found.update(targets(node))
    return tuple(sorted(name for name in {*found, *made(module)} if not name.startswith("_")))


@cache
def made(module: str) -> dict[str, tuple[str, str]]:
    """Return the classes that a module makes of layers when it is asked for them, with module and name of each layer.

    They are the arguments of ``classes_of(framework, _module.Layer, ...)``.
    """
    found = {name: layer for (place, name), layer in MADE.items() if place == module}
    path = source(module)
    body = tree(path).body if path else []
    modules = {
        alias.name: f"{_imported_from(module, node)}.{alias.name}"
        for node in body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "classes_of":
            layers = [(argument.value.id, argument.attr) for argument in node.args[1:] if is_dotted(argument)]
            found.update({name: (modules[place], name) for place, name in layers})
    return found


def is_dotted(node: ast.AST) -> TypeGuard[Any]:
    """Tell whether an expression is a name of a module, a dot and a name."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


@cache
def origin(module: str, name: str) -> Origin | None:
    """Return the definition of a name of a module, through all re-exports; None if it is not in the packages."""
    for path in (source(module), source(module, ".pyi")):
        # The last definition counts: those before it are overloads.
        for node in reversed([*statements(tree(path))] if path else []):
            if isinstance(node, ast.ImportFrom):
                read = _imported_from(module, node)
                for alias in node.names:
                    if (alias.asname or alias.name) == name and (read, alias.name) != (module, name):
                        return origin(read, alias.name)
            elif name in targets(node):
                return Origin(module, name, node)
    if name in made(module):
        return origin(*made(module)[name])
    submodule = source(f"{module}.{name}")
    if submodule:
        return Origin(f"{module}.{name}", "", tree(submodule))
    return None


def module_summary(module: str) -> str:
    """Return the first line of the docstring of a module; empty without one."""
    path = source(module)
    return Origin(module, "", tree(path)).summary if path else ""


@cache
def homes() -> dict[tuple[str, str], str]:
    """Return for each definition, by module and name, its public name, such as ``"irreps_ops.gate"``."""
    found: dict[tuple[str, str], str] = {}
    for module in MODULES:
        for name in public_names(module):
            defined = origin(module, name)
            if defined is not None and defined.kind != "module":
                found.setdefault((defined.module, defined.name), f"{module}.{name}")
    return found


def home(module: str, name: str) -> str:
    """Return the public name at home of an object that a module offers; for a module, its own name.

    Raises:
        ValueError: the object is not defined in the packages.
    """
    defined = origin(module, name)
    if defined is None:
        raise ValueError(f"{module}.{name} is public, and its definition cannot be found in the packages")
    return homes()[defined.module, defined.name] if defined.name else defined.module


def statements(module: ast.Module) -> Iterator[ast.ImportFrom | Node]:
    """Yield definitions, assignments and imports at the top level, those under ``if TYPE_CHECKING:`` included."""
    for node in module.body:
        if isinstance(node, ast.If):
            yield from statements(ast.Module(node.body, []))
        elif isinstance(node, ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign):
            yield node


def targets(node: ast.AST) -> list[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    assigned = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return [target.id for target in assigned if isinstance(target, ast.Name)]


def _imported_from(module: str, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that an import statement reads."""
    if not node.level:
        return node.module or ""
    path = source(module)
    parts = module.split(".")
    up = node.level - (path is not None and path.stem == "__init__")
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])
