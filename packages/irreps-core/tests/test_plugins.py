"""Plugins: found by metadata, imported one by one, checked, and never in the way of each other.

The distributions are real ones (a module and its dist-info directory) in a temporary folder.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints, distributions
from pathlib import Path
from typing import Protocol

import pytest

from irreps_core import plugins
from irreps_core.plugins import Group, Plugin, PluginLoadError, available, discover, load

Install = Callable[..., EntryPoints]
BINDINGS = Group("irreps.bindings", interface=("parameter", "state"), api=1, providers={"haiku": "irreps-haiku"})
GOOD = "class binding:\n    irreps_api = 1\n    parameter = state = None\n"


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRREPS_DISABLE_PLUGINS", raising=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one module into a folder on the path; answer with all entry points there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def add(
        distribution: str, code: str, name: str = "mine", group: str = "irreps.bindings", version: str = "0.3"
    ) -> EntryPoints:
        module = {"irreps-ops": "the_owner"}.get(distribution, distribution.replace("-", "_").lower())
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:binding\n")
        found = [entry for one in distributions(path=[str(tmp_path)]) for entry in one.entry_points]
        return EntryPoints(found)

    yield add
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_discovery_reads_metadata_and_imports_nothing(install: Install) -> None:
    install("B_plugin", GOOD, "zeta")
    found = discover(BINDINGS, install("a-plugin", GOOD, "alpha"))
    assert list(found) == ["alpha", "zeta"]
    assert found["zeta"] == Plugin("irreps.bindings", "zeta", "b_plugin:binding", "b-plugin", "0.3")
    assert not {"a_plugin", "b_plugin"} & set(sys.modules)
    with pytest.raises(TypeError):
        found["new"] = found["zeta"]  # type: ignore[index]  # the point of the test
    with pytest.raises(AttributeError):
        found["zeta"].name = "other"  # type: ignore[misc]  # the point of the test


def test_only_the_one_asked_for_is_imported(install: Install) -> None:
    install("a-plugin", "raise RuntimeError('must not be imported')", "alpha")
    found = install("b-plugin", GOOD, "beta")
    assert load(BINDINGS, "beta", found).__name__ == "binding"
    assert "a_plugin" not in sys.modules


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import no_such_framework", ModuleNotFoundError),
        ("1 / 0", ZeroDivisionError),
        ("raise SystemExit(3)", SystemExit),
        ("def broken(:", SyntaxError),
        ("other = 1", AttributeError),
    ],
)
def test_broken_plugin_fails_for_the_one_who_asks(install: Install, code: str, cause: type) -> None:
    install("good-plugin", GOOD, "good")
    found = install("broken-plugin", code, "broken")
    with pytest.raises(PluginLoadError, match=r"^plugin 'broken' from broken-plugin 0\.3 failed to import") as info:
        load(BINDINGS, "broken", found)
    assert isinstance(info.value.__cause__, cause)
    assert cause.__name__ in str(info.value)
    load(BINDINGS, "good", found)
    broken, good = sorted(available(BINDINGS, found), key=lambda status: status.state)
    assert (broken.plugin.name, broken.state, good.state) == ("broken", "failed", "ready")
    assert cause.__name__ in broken.reason


def test_a_repaired_plugin_loads_without_a_new_process(install: Install, tmp_path: Path) -> None:
    found = install("late-plugin", "import installed_later\n" + GOOD)
    with pytest.raises(PluginLoadError, match="installed_later"):
        load(BINDINGS, "mine", found)
    (tmp_path / "installed_later.py").write_text("")
    plugins.refresh()
    load(BINDINGS, "mine", found)


@pytest.mark.parametrize("number", [20, 21, 30])
def test_of_many_names_twenty_are_listed(number: int) -> None:
    found = EntryPoints(EntryPoint(f"plugin{n:02}", "no_such_module:x", "irreps.bindings") for n in range(number))
    with pytest.raises(PluginLoadError) as info:
        load(BINDINGS, "haiku", found)
    listed = [f"plugin{n:02}" for n in range(20)] + ([f"{number - 20} more"] if number > 20 else [])
    assert f"there are: {', '.join(listed)}." in str(info.value)


def test_unknown_name_lists_what_there_is_and_how_to_install(install: Install) -> None:
    with pytest.raises(PluginLoadError, match=r"'haiku' .*there are: none.*`pip install irreps-haiku`"):
        load(BINDINGS, "haiku", EntryPoints())
    with pytest.raises(PluginLoadError, match=r"not installed: 'haiku' \(`pip install irreps-haiku`\).*'haiku'\?"):
        load(BINDINGS, "hiku", EntryPoints())
    found = install("a-plugin", GOOD, "equinox")
    with pytest.raises(PluginLoadError, match=r"there are: equinox; .* Did you mean 'equinox'\?"):
        load(BINDINGS, "equinoxe", found)
    with pytest.raises(PluginLoadError, match="python -m irreps_core plugins"):
        load("irreps.nothing", "equinox", found)


def test_two_distributions_with_one_name_have_no_winner(install: Install) -> None:
    install("irreps-a", GOOD, "haiku", version="1.0")
    found = install("irreps-b", GOOD, "haiku", version="2.0")
    assert list(discover(BINDINGS, found)) == ["irreps-a:haiku", "irreps-b:haiku"]
    with pytest.raises(PluginLoadError, match=r"claimed by irreps-a 1\.0 and irreps-b 2\.0; request 'irreps-a:haiku'"):
        load(BINDINGS, "haiku", found)
    assert load(BINDINGS, "irreps-b:haiku", found).__module__ == "irreps_b"
    assert [status.state for status in available(BINDINGS, found)] == ["ready", "ready"]


def test_switching_one_of_two_off_settles_the_name(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("irreps-a", GOOD, "haiku")
    found = install("irreps-b", GOOD, "haiku")
    monkeypatch.setenv("IRREPS_DISABLE_PLUGINS", "irreps-a:haiku")
    assert load(BINDINGS, "haiku", found).__module__ == "irreps_b"


def test_one_distribution_that_claims_a_name_twice_has_no_winner_either() -> None:
    found = EntryPoints(EntryPoint("mine", f"module_{x}:binding", "irreps.bindings") for x in "ab")
    assert list(discover(BINDINGS, found)) == [
        "unknown:mine=module_a:binding",
        "unknown:mine=module_b:binding",
    ]
    with pytest.raises(PluginLoadError, match="claimed by"):
        load(BINDINGS, "unknown:mine", found)


def test_a_distribution_found_twice_is_one_plugin() -> None:
    entry = EntryPoint("mine", "module:binding", "irreps.bindings")
    assert list(discover(BINDINGS, EntryPoints([entry, entry]))) == ["mine"]


def test_builtin_names_are_reserved(install: Install) -> None:
    ours = object()
    kernels = Group("irreps.kernels", builtin={"xla": ours})
    found = install("fast-kernels", "class binding:\n    irreps_api = 1\n", "xla", "irreps.kernels")
    assert load(kernels, "xla", found) is ours
    assert list(discover(kernels, found)) == ["fast-kernels:xla"]
    assert load(kernels, "fast-kernels:xla", found).__module__ == "fast_kernels"
    with pytest.raises(PluginLoadError, match="there are: fast-kernels:xla, xla"):
        load(kernels, "cuda", found)


def test_wrong_type_names_the_missing_attributes(install: Install) -> None:
    found = install("odd-plugin", "binding = 3")
    with pytest.raises(PluginLoadError, match=r"odd-plugin 0\.3 .*type int lacks the attribute 'parameter', 'state'"):
        load(BINDINGS, "mine", found)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("irreps_api = 0", "0"),
        ("irreps_api = '1'", "'1'"),
        ("irreps_api = True", "True"),
        ("irreps_api = 1.0", "1.0"),
        ("irreps_api = 'x' * 10**6", "'xxx"),
        ("", "missing"),
    ],
)
def test_old_interface_names_both_numbers(install: Install, line: str, number: str) -> None:
    found = install("old-plugin", f"class binding:\n    parameter = state = None\n    {line}\n")
    with pytest.raises(PluginLoadError, match=rf"irreps_api is {number}.*, expected the int 1"):
        load(BINDINGS, "mine", found)


class Scope(Protocol):
    """An interface by protocol: an annotated attribute, a method and a call."""

    framework: str

    def parameter(self, name: str) -> float: ...
    def __call__(self) -> float: ...


class Wider(Scope, Protocol):
    def random_key(self) -> int: ...


def test_interface_by_protocol() -> None:
    group = Group("irreps.bindings", interface=Wider)

    class Half:
        irreps_api = 1
        framework = "none"

    with pytest.raises(TypeError, match=r"type Half lacks the attribute '__call__', 'parameter', 'random_key'"):
        load(group, Half())

    class Whole(Half):
        def parameter(self, name: str) -> float:
            return 0.0

        def random_key(self) -> int:
            return 0

        def __call__(self) -> float:
            return 0.0

    whole = Whole()
    assert load(group, whole) is whole
    assert load(group, Whole) is Whole


def test_an_object_in_place_of_a_name_is_checked_too() -> None:
    with pytest.raises(
        TypeError, match=r"expected the name of a plugin of irreps\.bindings, or a plugin itself: an object of type int"
    ):
        load(BINDINGS, 3)
    with pytest.raises(TypeError, match="class Path lacks"):
        load(BINDINGS, Path)


@pytest.mark.parametrize("value", ["all", "1", "mine", "other, mine", "irreps.bindings/mine", "a-plugin:mine"])
def test_switched_off(install: Install, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    found = install("a-plugin", "raise RuntimeError('must not be imported')")
    monkeypatch.setenv("IRREPS_DISABLE_PLUGINS", value)
    with pytest.raises(PluginLoadError, match=rf"switched off by IRREPS_DISABLE_PLUGINS='{value}'"):
        load(BINDINGS, "mine", found)
    (status,) = available(None, found)
    assert (status.state, status.reason) == ("disabled", f"IRREPS_DISABLE_PLUGINS={value}")
    assert "a_plugin" not in sys.modules

    class Mine:
        irreps_api = 1
        parameter = state = None

    assert load(BINDINGS, Mine) is Mine


@pytest.mark.parametrize("value", ["", "0", "other", "irreps.layers/mine", "b-plugin:mine"])
def test_not_switched_off(install: Install, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("IRREPS_DISABLE_PLUGINS", value)
    load(BINDINGS, "mine", install("a-plugin", GOOD))


SELFISH = """
from irreps_core import plugins
asked = plugins.available("irreps.bindings")
plugins.load("irreps.bindings", "mine")
"""


def test_a_plugin_that_asks_for_itself_is_told_so(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    found = install("selfish-plugin", SELFISH + GOOD)
    monkeypatch.setattr(plugins, "_installed", lambda: found)
    with pytest.raises(PluginLoadError, match="requests itself while it is imported") as info:
        load("irreps.bindings", "mine")
    assert isinstance(info.value.__cause__, PluginLoadError)
    assert plugins._importing.get() == frozenset()


def test_a_plugin_may_list_the_plugins_and_load_another(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("a-plugin", GOOD, "alpha")
    code = "from irreps_core import plugins as p\nseen = p.available()\np.load('irreps.bindings', 'alpha')\n"
    found = install("b-plugin", code + GOOD, "beta")
    monkeypatch.setattr(plugins, "_installed", lambda: found)
    seen = sys.modules[load(BINDINGS, "beta").__module__].seen
    assert [status.state for status in seen] == ["ready", "failed"]


def test_two_threads_may_load_one_plugin(install: Install) -> None:
    found = install("slow-plugin", "import time\ntime.sleep(0.2)\n" + GOOD)
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(load(BINDINGS, "mine", found))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert results[0] is results[1]


DESCRIPTION = "from irreps_core.plugins import Group\nbinding = Group('irreps.bindings', interface=('parameter',))\n"


def test_the_description_is_published_by_the_owner_of_the_group(install: Install) -> None:
    install("irreps-ops", DESCRIPTION, "irreps.bindings", "irreps.groups")
    found = install("odd-plugin", "binding = 3")
    with pytest.raises(PluginLoadError, match="lacks the attribute 'parameter'"):
        load("irreps.bindings", "mine", found)
    (status,) = available(None, found)
    assert (status.plugin.name, status.state) == ("mine", "failed")
    assert "'parameter'" in status.reason


def test_a_broken_description_is_reported_and_raises_nothing(install: Install) -> None:
    install("irreps-ops", "import no_such_module", "irreps.bindings", "irreps.groups")
    found = install("a-plugin", GOOD)
    (status,) = available(None, found)
    assert status.state == "failed"
    assert "irreps-ops 0.3" in status.reason
    with pytest.raises(PluginLoadError, match=r"irreps-ops 0\.3 failed to import"):
        load("irreps.bindings", "mine", found)


STRANGE = {
    "no repr": "class E(Exception):\n    def __repr__(self):\n        raise RuntimeError\nraise E",
    "no repr or str": "class E(Exception):\n    __repr__ = __str__ = lambda self: 1 / 0\nraise E",
    "generator exit": "raise GeneratorExit",
    "system exit": "raise SystemExit",
    "own base exception": "class E(BaseException): pass\nraise E('mine')",
    "repr exits": "class E(BaseException):\n    def __repr__(self):\n        raise GeneratorExit\nraise E",
    "repr of a megabyte": "raise ValueError('x' * 10**6)",
    "repr without end": "l = []\nfor _ in range(10**5): l = [l]\nraise ValueError(l)",
    "attribute that raises": "class A:\n    def __getattr__(self, name):\n        raise OSError(name)\nbinding = A()",
    "attribute that exits": "class A:\n    def __getattr__(self, name):\n        raise SystemExit(name)\nbinding = A()",
    "api that does not compare": "class N:\n    def __eq__(self, other):\n        raise ValueError\n"
    "class binding:\n    parameter = state = None\n    irreps_api = N()",
    "api without repr": "class N:\n    def __repr__(self):\n        raise GeneratorExit\n"
    "class binding:\n    parameter = state = None\n    irreps_api = N()",
    "deep recursion": "def f(): f()\nf()",
}


@pytest.mark.parametrize("name", STRANGE)
def test_nothing_that_a_plugin_does_is_raised_by_available(install: Install, name: str) -> None:
    install("good-plugin", GOOD, "good")
    found = install("strange-plugin", STRANGE[name], "strange")
    states = {status.plugin.name: status for status in available(BINDINGS, found)}
    assert (states["good"].state, states["strange"].state) == ("ready", "failed")
    assert 0 < len(states["strange"].reason) < 1000
    with pytest.raises(PluginLoadError, match=r"plugin 'strange' from strange-plugin 0\.3") as info:
        load(BINDINGS, "strange", found)
    assert len(str(info.value)) < 1000


def test_an_interruption_by_the_user_is_not_the_state_of_a_plugin(install: Install) -> None:
    found = install("a-plugin", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        available(BINDINGS, found)


def test_strange_descriptions_are_not_raised_by_available(install: Install) -> None:
    strange = (
        "from irreps_core.plugins import Group\nclass M(dict):\n    def __iter__(self):\n        raise GeneratorExit\n"
    )
    install(
        "irreps-ops", strange + "binding = Group('irreps.bindings', builtin=M(a=1))", "irreps.bindings", "irreps.groups"
    )
    (status,) = available("irreps.bindings", install("a-plugin", GOOD))
    assert status.state == "failed"
    with pytest.raises(TypeError, match="raises OSError"):
        load(BINDINGS, type("A", (), {"__getattr__": lambda self, name: exec("raise OSError")})())


@pytest.mark.parametrize("name", ["", " ", "x" * 10**6, "a/b", "all", "é", "\n"])
def test_strange_names(name: str) -> None:
    found = EntryPoints([EntryPoint(name, "no_such_module:x", "irreps.bindings")])
    (status,) = available(BINDINGS, found)
    assert (status.plugin.name, status.state) == (name, "failed")
    with pytest.raises(PluginLoadError, match="failed to import") as info:
        load(BINDINGS, name, found)
    assert len(str(info.value)) < 1000
    other = EntryPoints(EntryPoint(f"{n}{name}", "no_such_module:x", "irreps.bindings") for n in range(30))
    with pytest.raises(PluginLoadError, match="is not installed") as info:
        load(BINDINGS, "haikuu" + name, other)
    assert len(str(info.value)) < 5000


@pytest.mark.parametrize("value", ["", "no_such", "a:b:c", " ", "os:path:", "os:", ":x", "1/2", "x" * 10**6])
def test_strange_values(value: str) -> None:
    (status,) = available(BINDINGS, EntryPoints([EntryPoint("mine", value, "irreps.bindings")]))
    assert status.state == "failed"
    assert len(status.reason) < 1000


def test_a_third_party_that_claims_one_of_our_groups_is_not_imported(install: Install) -> None:
    claims = "raise RuntimeError('must not be imported')"
    for group in ("irreps.bindings", "irreps.layers"):
        install(f"claims-{group}".replace(".", "-"), claims, group, "irreps.groups")
    found = install("a-plugin", GOOD)
    assert load("irreps.bindings", "mine", found).__name__ == "binding"
    assert [status.state for status in available(None, found)] == ["ready"]
    install("irreps-ops", DESCRIPTION, "irreps.bindings", "irreps.groups", version="9")
    found = install("odd-plugin", "binding = 3", "odd")
    with pytest.raises(PluginLoadError, match="lacks the attribute 'parameter'"):
        load("irreps.bindings", "odd", found)
    assert not [name for name in sys.modules if name.startswith("claims_")]
    others = install("their-owner", DESCRIPTION.replace("irreps.", "their."), "their.bindings", "irreps.groups")
    assert plugins._described("their.bindings", others).interface == ("parameter",)


def test_a_damaged_list_of_entry_points_hides_no_other(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("a-plugin", GOOD)
    info = tmp_path / "damaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(b"\xff\xfe[irreps.bindings\n= = =\n")
    plugins.refresh()
    assert discover(BINDINGS)["mine"].distribution == "a-plugin"
    monkeypatch.undo()
    plugins.refresh()


def test_damaged_metadata_hides_nothing(install: Install, tmp_path: Path) -> None:
    info = tmp_path / "damaged-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[irreps.bindings]\nother = damaged:binding\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\n")
    found = install("a-plugin", GOOD)
    states = {status.plugin.name: status.state for status in available(BINDINGS, found)}
    assert states == {"mine": "ready", "other": "failed"}


def test_what_is_installed_is_read_once_until_refreshed(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins.refresh()
    assert "mine" not in discover(BINDINGS)
    install("new-plugin", GOOD)
    assert "mine" not in discover(BINDINGS)
    plugins.refresh()
    assert discover(BINDINGS)["mine"].distribution == "new-plugin"
    monkeypatch.undo()
    plugins.refresh()
    assert "mine" not in discover(BINDINGS)


IMPORT_PROBE = """
import sys
touched = []
sys.addaudithook(lambda event, args: touched.append(str(args[0])) if event == "open" else None)
import irreps_core
assert not [path for path in touched if "-info" in path], touched
heavy = {"jax", "scipy", "sympy", "haiku", "flax", "importlib.metadata", "irreps_ops", "irreps_haiku"}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_the_package_reads_no_metadata_and_imports_no_plugin() -> None:
    environment = {**os.environ, "IRREPS_DISABLE_PLUGINS": ""}
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_PROBE], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("error", [Exception, SystemExit, GeneratorExit, RecursionError, MemoryError])
def test_an_object_whose_attributes_raise_is_refused(error: type[BaseException]) -> None:
    class Rude:
        def __getattr__(self, name: str) -> None:
            raise error("x" * 100_000)

    with pytest.raises(TypeError, match=f"an attribute of an object of type Rude raises {error.__name__}") as info:
        plugins.load(plugins.Group("geometry.shapes", ("area",)), Rude())
    assert len(str(info.value)) < 1000
