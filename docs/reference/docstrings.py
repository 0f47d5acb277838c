"""Adapt docstrings and classes to mkdocstrings, and typeset formulas: an extension of griffe and a hook of MkDocs."""

import re
from html import unescape
from typing import Any

import griffe
import latex2mathml.converter
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.pages import Page
from public_names import MODULES, home, origin, public_names

ROLE = re.compile(r":(?:func|class|meth|attr|mod|data|exc|obj):`~?([\w.]+)`")
MATH = re.compile(r":math:`([^`]+)`")
# Signs that formulas contain as such, so that they are easy to read in a terminal, and their names in LaTeX.
SIGNS = {
    "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx", "±": "pm", "·": "cdot", "×": "times", "⊗": "otimes", "∘": "circ",
    "→": "to", "∈": "in", "⟨": "langle", "⟩": "rangle", "...": "ldots",
}  # fmt: skip
SIGN = re.compile("|".join(map(re.escape, SIGNS)))
# What only formulas have, and the parts of a page where it may be.
UNMARKED = re.compile(
    r"[\w)]\^|[√∑⊗⊕∫ᵀ⁰-⁹⁻₀-₉]|(?<!Å)[²³]|\b(sqrt|sum)[(_]|\b[A-Za-z]_\w\b|\b[lm]\d\b|\|[A-Za-z]+\||[<>]=|[2-9]l\b"
    r"|\b[lmnj] [-+=<>] \S"
)
OTHER = re.compile(r"<(code|pre|math)\b.*?</\1>", re.DOTALL)
log = get_plugin_logger("formulas")
# The entry of each name; those of irreps_core and irreps_ops come before those of bindings and compat.
SHORT = {name: home(module, name) for module in reversed(MODULES) for name in public_names(module)}


def link(text: str, identifier: str) -> str:
    """Return a link to an entry, or plain code where the site has none."""
    return f'<autoref optional identifier="{identifier}"><code>{text}</code></autoref>'


def linked(text: str) -> str:
    """Replace the cross-references of docstrings, such as ``:func:`gate```, by links, and mark their formulas."""

    def replaced(role: re.Match[str]) -> str:
        identifier = role[1]
        first, _, rest = identifier.partition(".")
        if first.startswith("irreps_"):
            return link(identifier, identifier)
        return link(identifier, f"{SHORT[first]}{rest and '.' + rest}") if first in SHORT else f"`{identifier}`"

    return MATH.sub(r"$\1$", ROLE.sub(replaced, text))


class Docstrings(griffe.Extension):
    """Adapt classes and docstrings to mkdocstrings.

    Cross-references become links, formulas are marked for :func:`on_page_content`, examples are shown as code, and
    classes made by :func:`irreps_core.frozen` are dataclasses.
    """

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Adapt all objects of a package."""
        self._adapt(pkg)
        for module in MODULES:
            if module.split(".")[0] == pkg.name:
                _show_functions(pkg.modules_collection[module], module)

    def _adapt(self, obj: griffe.Object) -> None:
        if obj.docstring and obj.docstring.value == "See the class.":
            obj.docstring = None
        if isinstance(obj, griffe.Attribute) and not obj.docstring and obj.parent and obj.parent.is_module:
            where = origin(obj.parent.path, obj.name)
            if where is not None and where.summary:
                obj.docstring = griffe.Docstring(where.summary, parent=obj)
        if obj.docstring:
            text = linked(obj.docstring.value)
            text = re.sub(r"^( *)\.\. math::\s+((?:.+\n?)+)", _formula, text, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)
        if isinstance(obj, griffe.Class):
            _mark_dataclass(obj)
            _show_constructor(obj)
            if not obj.runtime and obj.docstring and obj.name in SHORT:  # from a stub file: a module made from a layer
                obj.docstring.value += f"\n\nThe module of the layer {link(SHORT[obj.name], SHORT[obj.name])}."
        for member in list(obj.members.values()):
            if not member.is_alias:
                self._adapt(member)


def _show_functions(obj: griffe.Module, module: str) -> None:
    """Show a function, and not the module of the same name, where a package has both; show classes that are made."""
    for name in public_names(module):
        where = origin(module, name)
        if where is not None and where.name and (name not in obj.members or obj.members[name].is_module):
            obj.set_member(name, griffe.Alias(name, f"{where.module}.{where.name}", parent=obj))


def _formula(block: re.Match[str]) -> str:
    """Return a directive ``.. math::`` as a formula between dollars."""
    lines = [line.strip() for line in block[2].strip().splitlines()]
    return f"{block[1]}$$\n{block[1]}{' '.join(lines)}\n{block[1]}$$\n"


def _mark_dataclass(cls: griffe.Class) -> None:
    """Let griffe read a class that is decorated with ``frozen`` as a dataclass."""
    for decorator in cls.decorators:
        if isinstance(decorator.value, griffe.Expr) and decorator.value.canonical_name == "frozen":
            decorator.value = _DATACLASS
            cls.labels.add("dataclass")
            for field in cls.members.values():
                value = getattr(field, "value", None)
                if isinstance(value, griffe.ExprCall) and value.canonical_name == "converted":
                    given = {a.name: a.value for a in value.arguments if isinstance(a, griffe.ExprKeyword)}
                    field.value = given.get("default")


def _show_constructor(cls: griffe.Class) -> None:
    """Show the parameters of ``__new__``, where a class has them there, as those of ``__init__``."""
    new = cls.members.get("__new__")
    if isinstance(new, griffe.Function) and "__init__" not in cls.members:
        cls.set_member("__init__", griffe.Function("__init__", parameters=new.parameters, parent=cls))


class _Dataclass(griffe.ExprName):
    canonical_path = "dataclasses.dataclass"


_DATACLASS = _Dataclass("dataclass")


def mathml(formula: str, display: str) -> str:
    """Return a formula in LaTeX as MathML, with the spaces of a textbook about bars, signs and primes."""
    formula = SIGN.sub(lambda sign: rf"\{SIGNS[sign[0]]} ", formula)
    text = latex2mathml.converter.convert(formula, display=display)
    text = text.replace(
        '<mo stretchy="false">&#x0007C;</mo>', '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;</mo>'
    )
    text = text.replace("<mi>&#x02032;</mi>", "<mo>&#x02032;</mo>")
    # A minus after an opening parenthesis, a comma or an equals sign belongs to the number after it.
    return re.sub(r"((?:&#x00028;|&#x0002C;|&#x0003D;)</mo>)<mo>(?=&#x02212;)", r'\1<mo form="prefix">', text)


def on_page_content(html: str, page: Page, **_: Any) -> str:
    """Typeset formulas as MathML, which browsers show without a script; warn of those that are not marked."""

    def typeset(found: re.Match[str]) -> str:
        block, formula = found[1] == "div", found[2].strip().removeprefix(r"\(").removeprefix(r"\[")
        formula = unescape(formula.removesuffix(r"\)").removesuffix(r"\]"))
        return mathml(formula, "block" if block else "inline")

    html = re.sub(r'<(div|span) class="arithmatex">(.*?)</\1>', typeset, html, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]+>", "", OTHER.sub("", html)))
    for found in UNMARKED.finditer(text):
        near = " ".join(text[max(0, found.start() - 40) : found.end() + 20].split())
        log.warning(f"{page.file.src_uri}: a formula is not typeset: ... {near} ...")
    return html
