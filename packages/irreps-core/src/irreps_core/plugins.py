"""Plugins of the irreps packages, found by metadata and imported only when one is requested by name.

A distribution offers a plugin through an entry point of a group such as ``irreps.bindings``, ``irreps.layers`` or
``irreps.executors``. The package that owns a group describes the plugins that it expects by a :class:`Group`, and
publishes this description as an entry point of the group ``irreps.groups``. Importing this module does not look for
plugins: :func:`discover` reads metadata when it is first called, and :func:`load` imports and checks the one requested
plugin, so that a broken plugin disturbs only those who use it. Every function that takes the name of a plugin also
takes the object itself.

The environment variable ``IRREPS_DISABLE_PLUGINS`` turns plugins off: ``all``, or a comma-separated list of
``name``, ``group/name`` or ``distribution:name``.
"""

import contextlib
import difflib
import functools
import importlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from irreps_core._inputs._caches import register_cache
from irreps_core._inputs._shown import shortened, shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints  # at run time imported where it is used: slow to import

_SWITCH = "IRREPS_DISABLE_PLUGINS"
_DESCRIPTIONS = "irreps.groups"
_OWNERS = ("irreps-core", "irreps-ops")  # the distributions that describe groups named irreps.*
_MISSING = object()

# The plugins that this thread or task is importing: one that requests itself would get an unfinished module.
_importing: ContextVar[frozenset["Plugin"]] = ContextVar("importing", default=frozenset())


class PluginLoadError(ImportError):
    """The error for a plugin that is unknown, ambiguous, switched off, broken or does not fit its group."""


@dataclass(frozen=True, order=True)
class Plugin:
    """A plugin according to its metadata, without importing it.

    Attributes:
        group: the entry-point group.
        name: name of the plugin.
        value: ``"module:attribute"``, which the plugin is imported from.
        distribution: the distribution that offers it.
        version: version of the distribution.
    """

    group: str
    name: str
    value: str
    distribution: str = "unknown"
    version: str = "unknown"

    @property
    def full_name(self) -> str:
        """``"distribution:name"``, which requests the plugin where two distributions claim the name."""
        return f"{self.distribution}:{self.name}"

    def __str__(self) -> str:
        return f"plugin {shown(self.name)} from {shortened(self.distribution)} {shortened(self.version)}"


@dataclass(frozen=True)
class Group:
    """Description of an entry-point group by its owner.

    Only irreps-core and irreps-ops describe groups whose names begin with ``irreps.``.

    Attributes:
        name: the entry-point group, such as ``"irreps.bindings"``.
        interface: the attributes that a plugin must have: a Protocol, or their names.
        api: version number of the interface, which a plugin repeats as its attribute ``irreps_api``; not checked if it
            is None.
        builtin: the objects that the owner provides, by name. A plugin cannot take these names.
        providers: for each name the distribution that is known to provide it, for advice to users who lack it.

    Example:
        >>> shapes = Group("geometry.shapes", interface=("area",))
        >>> class Square:
        ...     irreps_api = 1
        ...     area = 1.0
        >>> load(shapes, Square()).area  # an object in place of a name
        1.0
    """

    name: str
    interface: type | tuple[str, ...] = ()
    api: int | None = 1
    builtin: Mapping[str, Any] = field(default_factory=dict, hash=False)
    providers: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be pickled.
        return Group, (self.name, self.interface, self.api, dict(self.builtin), dict(self.providers))

    def _refusal(self, candidate: object) -> str | None:
        """Return why `candidate` is not a plugin of this group, or None if it is one."""
        try:
            return self._reason(candidate)
        except KeyboardInterrupt:  # the user's
            raise
        except BaseException as error:  # of an attribute of the candidate
            return f"an attribute of an object of type {shortened(type(candidate).__name__)} raises {shown(error, 200)}"

    def _reason(self, candidate: object) -> str | None:
        kind = type(candidate).__name__
        described = f"class {candidate.__name__}" if isinstance(candidate, type) else f"an object of type {kind}"
        missing = [repr(name) for name in _attributes(self.interface) if not hasattr(candidate, name)]
        if missing:
            return f"{described} lacks the attribute {', '.join(missing)}"
        found = getattr(candidate, "irreps_api", _MISSING)
        # Neither True nor 1.0, which are equal to 1.
        if self.api is not None and (type(found) is not int or found != self.api):
            given = "missing" if found is _MISSING else shown(found)
            return f"{described} was written for another interface: irreps_api is {given}, expected the int {self.api}"
        return None


@dataclass(frozen=True)
class Status:
    """State of a plugin, and the reason if it is not ready."""

    plugin: Plugin
    state: Literal["ready", "failed", "disabled"]
    reason: str = ""


def discover(group: str | Group, entry_points: "EntryPoints | None" = None) -> Mapping[str, Plugin]:
    """Return the plugins of a group that the metadata of the installed distributions lists. None is imported.

    Args:
        group: the entry-point group, by name or description.
        entry_points: the entry points to search. Default: those of all installed distributions, read once (see
            :func:`refresh`).

    Returns:
        Read-only, sorted mapping from names to plugins. A name is the plugin's own, or ``"distribution:name"`` where
        that name is reserved or claimed by several distributions.

    Example:
        >>> from importlib.metadata import EntryPoint, EntryPoints
        >>> installed = EntryPoints([EntryPoint("Mine", "my_package:Mine", "irreps.layers")])
        >>> discover("irreps.layers", installed)["Mine"].value
        'my_package:Mine'
    """
    description = group if isinstance(group, Group) else Group(group)
    found = _installed() if entry_points is None else entry_points
    plugins = {_record(entry) for entry in found.select(group=description.name)}
    claims = Counter([*description.builtin, *(name for p in plugins for name in (p.name, p.full_name))])

    def key(plugin: Plugin) -> str:
        names = (plugin.name, plugin.full_name, f"{plugin.full_name}={plugin.value}")
        return next(name for name in names if claims[name] <= 1)

    return MappingProxyType({key(plugin): plugin for plugin in sorted(plugins)})


def load(group: str | Group, which: object, entry_points: "EntryPoints | None" = None) -> Any:
    """Return the plugin of a name, imported and checked; or the given object, checked.

    Args:
        group: the entry-point group, by description, or by name, of which the published description is used.
        which: a name, ``"distribution:name"``, or an object to use as a plugin.
        entry_points: the entry points to search. Default: those of all installed distributions.

    Returns:
        The object that the entry point refers to, or the built-in object of that name, or `which` itself if it is not
        a string.

    Raises:
        PluginLoadError: the name is unknown, claimed by several distributions or switched off; or the plugin fails to
            import (the cause is chained) or does not fit the group.
        TypeError: `which` is an object that does not fit the group.

    Example:
        >>> load(Group("irreps.executors", builtin={"xla": "the built-in one"}), "xla")
        'the built-in one'
    """
    description = _described(group, entry_points)
    if isinstance(which, str):
        if which in description.builtin:
            return description.builtin[which]
        return _import(_find(description, which, entry_points), description)
    refusal = description._refusal(which)
    if refusal:
        raise TypeError(
            f"expected the name of a plugin of {description.name}, or a plugin itself: {shortened(refusal, 400)}"
        )
    return which


def available(group: str | Group | None = None, entry_points: "EntryPoints | None" = None) -> tuple[Status, ...]:
    """Return the state of every plugin of a group, or of all groups ``irreps.*``. Never raises an error.

    It imports every plugin that is not switched off. :func:`discover` lists them without importing any. Whatever a
    plugin raises becomes its state, except KeyboardInterrupt, by which users stop a program.

    Args:
        group: the entry-point group, by name or description. Default: all groups ``irreps.*``.
        entry_points: the entry points to search. Default: those of all installed distributions.

    Example:
        >>> from importlib.metadata import EntryPoint, EntryPoints
        >>> broken = EntryPoints([EntryPoint("Mine", "no_such_package:Mine", "irreps.layers")])
        >>> for status in available("irreps.layers", broken):
        ...     print(status.plugin.name, status.state, status.reason)
        Mine failed ModuleNotFoundError("No module named 'no_such_package'")
    """
    if group is None:
        found = _installed() if entry_points is None else entry_points
        groups = sorted(name for name in found.groups if name.startswith("irreps.") and name != _DESCRIPTIONS)
        return tuple(status for name in groups for status in available(name, entry_points))
    try:
        description = _described(group, entry_points)
        found = discover(description, entry_points)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the description is a plugin, too
        name = group.name if isinstance(group, Group) else group
        reason = str(error) if isinstance(error, PluginLoadError) else shown(error)
        return tuple(Status(plugin, "failed", reason) for plugin in discover(name, entry_points).values())
    return tuple(_status(plugin, description) for plugin in found.values())


def refresh() -> None:
    """Forget which plugins are installed, so that the next call looks again.

    A running process needs this after an installation.

    Example:
        >>> refresh()
    """
    importlib.invalidate_caches()
    _installed.cache_clear()


@functools.lru_cache(maxsize=1)
def _installed() -> "EntryPoints":
    from importlib.metadata import EntryPoints, distributions, entry_points  # slow to import

    try:
        found = entry_points()
        return EntryPoints(entry for group in found.groups for entry in found.select(group=group))
    except Exception:  # a damaged list of one distribution should not hide the others
        entries: list[EntryPoint] = []
        for distribution in distributions():
            with contextlib.suppress(Exception):
                entries += distribution.entry_points
        return EntryPoints(entries)


register_cache(refresh)


def _record(entry: "EntryPoint") -> Plugin:
    name = version = None
    with contextlib.suppress(Exception):  # damaged metadata of one distribution should not hide the others
        name, version = entry.dist and entry.dist.name, entry.dist and entry.dist.version
    name = re.sub(r"[-_.]+", "-", name or "unknown").lower()
    return Plugin(entry.group, entry.name, entry.value, name, version or "unknown")


def _find(description: Group, which: str, entry_points: "EntryPoints | None") -> Plugin:
    """Find the one enabled plugin that `which` denotes."""
    plugins = discover(description, entry_points)
    found = {key: p for key, p in plugins.items() if which in (key, p.name, p.full_name)}
    enabled = {key: plugin for key, plugin in found.items() if not _disabled(plugin)}
    if len(enabled) == 1:
        return enabled.popitem()[1]
    if enabled:
        claims = " and ".join(_few(f"{shortened(p.distribution)} {shortened(p.version)}" for p in enabled.values()))
        ways = " or ".join(_few(map(shown, enabled)))
        message = f"is claimed by {claims}; request {ways}, or pass the object itself"
    elif found:
        message = f"is switched off by {_SWITCH}={shown(os.environ.get(_SWITCH))}; unset it, or pass the object itself"
    else:
        installed = sorted({*plugins, *description.builtin})
        missing = {name: package for name, package in description.providers.items() if name not in installed}
        if which in missing:
            rest = f". Install it (`pip install {missing[which]}`)"
        else:
            known = ", ".join(f"{name!r} (`pip install {package}`)" for name, package in sorted(missing.items()))
            known = f"; known, but not installed: {known}" if known else ""
            # The comparison takes the product of the lengths.
            similar = [name for name in (*installed, *missing) if max(len(name), len(which)) <= 100]
            hint = "".join(f" Did you mean {name!r}?" for name in difflib.get_close_matches(which, similar, n=1))
            rest = f"{known}.{hint} Install the distribution that offers it (`pip install DISTRIBUTION`)"
        message = (
            f"is not installed; there are: {', '.join(_few(map(shortened, installed))) or 'none'}{rest}, "
            "or pass the object itself. `python -m irreps_core plugins` lists the installed plugins."
        )
    raise PluginLoadError(f"plugin {shown(which)} of {shortened(description.name)} {message}")


def _import(plugin: Plugin, description: Group) -> Any:
    from importlib.metadata import EntryPoint  # slow to import

    if plugin in _importing.get():
        raise PluginLoadError(f"{plugin} requests itself while it is imported: request it where it is used")
    token = _importing.set(_importing.get() | {plugin})
    try:
        candidate = EntryPoint(plugin.name, plugin.value, plugin.group).load()
        refusal = description._refusal(candidate)
    except KeyboardInterrupt:  # the user's
        raise
    except BaseException as error:  # a plugin may fail in any way, which the message shows
        raise PluginLoadError(f"{plugin} failed to import ({shortened(plugin.value)}): {shown(error, 400)}") from error
    finally:
        _importing.reset(token)
    if refusal:
        raise PluginLoadError(
            f"{plugin} ({shortened(plugin.value)}) does not fit {plugin.group}: {shortened(refusal, 400)}"
        )
    return candidate


def _status(plugin: Plugin, description: Group) -> Status:
    if _disabled(plugin):
        return Status(plugin, "disabled", f"{_SWITCH}={shortened(os.environ.get(_SWITCH, ''))}")
    try:
        _import(plugin, description)
    except PluginLoadError as error:
        return Status(plugin, "failed", str(error) if error.__cause__ is None else shown(error.__cause__, 400))
    return Status(plugin, "ready")


def _described(group: str | Group, entry_points: "EntryPoints | None") -> Group:
    """Return the description itself, or the published one of that name, or one that expects nothing."""
    if isinstance(group, Group):
        return group
    descriptions = Group(_DESCRIPTIONS, interface=Group, api=None)
    claims = [p for p in discover(descriptions, entry_points).values() if p.name == group and not _disabled(p)]
    if group.startswith("irreps."):  # ours: nobody else is imported for them
        claims = [plugin for plugin in claims if plugin.distribution in _OWNERS]
    if not claims:
        return Group(group, api=None)
    return _import(claims[0], descriptions) if len(claims) == 1 else load(descriptions, group, entry_points)


def _disabled(plugin: Plugin) -> bool:
    words = {word.strip() for word in os.environ.get(_SWITCH, "").split(",")} - {""}
    return bool(words & {"all", "1", "true", plugin.name, plugin.full_name, f"{plugin.group}/{plugin.name}"})


def _few(names: Iterable[str]) -> list[str]:
    """Return the first twenty names, and how many more there are."""
    found = list(names)
    return found if len(found) <= 20 else [*found[:20], f"{len(found) - 20} more"]


def _attributes(interface: type | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that an interface asks for; of a class its public members and ``__call__``."""
    if isinstance(interface, tuple):
        return interface
    classes = [cls for cls in interface.__mro__ if cls not in (object, Protocol)]
    names = {name for cls in classes for name in (*vars(cls), *getattr(cls, "__annotations__", ()))}
    return tuple(sorted(name for name in names if name == "__call__" or not name.startswith("_")))
