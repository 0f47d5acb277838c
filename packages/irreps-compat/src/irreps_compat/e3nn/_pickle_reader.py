"""A reader of pickles that calls nothing but the functions of a table; for files from strangers.

``pickle`` calls whatever a file names, and trusts the sizes that it announces. Here a loop over the opcodes handles
those that plain data need, and refuses all others.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_MAX_DEPTH = 100  # of lists, tuples and dicts in one another
_MAX_VALUES = 1_000_000
_PLAIN = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
    ]
)
_OTHERS = frozenset(
    [
        "PROTO",
        "FRAME",
        "MARK",
        "TUPLE",
        "APPEND",
        "APPENDS",
        "SETITEM",
        "SETITEMS",
        "BINPUT",
        "LONG_BINPUT",
        "MEMOIZE",
        "BINGET",
        "LONG_BINGET",
        "GLOBAL",
        "STACK_GLOBAL",
        "BINPERSID",
        "REDUCE",
        "BUILD",
        "STOP",
    ]
)
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()
_NEEDED = _PLAIN | _OTHERS | {*_CONSTANTS, *_EMPTY, *_TUPLES}
_OPCODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}


class PickleError(ValueError):
    """A pickle that is damaged or contains more than data; the message states what."""


class Global:
    """What a pickle may name: a word, which the result contains as such, or a function, which it may call.

    Args:
        word: stands for the object in the result.
        build: the function; None if it must not be called.
    """

    def __init__(self, word: str, build: Callable[..., Any] | None = None) -> None:
        """See the class."""
        self.word, self.build = word, build


class Unfinished:
    """An object whose content follows after its creation.

    Args:
        build: returns the object, given its content.
    """

    def __init__(self, build: Callable[[Any], Any]) -> None:
        """See the class."""
        self.build, self.is_built, self.value = build, False, None


def read_pickle(data: bytes, names: Mapping[str, Global], persistent: Callable[[Any], Any]) -> Any:
    """Return the content of a pickle: dicts, lists, tuples, texts, bytes, numbers, and what the functions return.

    Args:
        data: the pickle, of protocol 2 or later.
        names: what it may name, by ``"module name"``.
        persistent: returns the object of a persistent id.

    Raises:
        PickleError: it names something else, calls something else, is damaged, or has no end.
    """
    reader, stream = _Reader(names, persistent), io.BytesIO(data)
    try:
        while code := stream.read(1):
            opcode = _OPCODES[code]
            if opcode.name not in _NEEDED:
                raise PickleError(f"it has the opcode {opcode.name}, which plain data do not need")
            if opcode.name == "STOP":
                return _Finisher().value(reader.pop(), 0)
            if opcode.name == "GLOBAL":  # read as pickle does: pickletools looks for escape sequences
                reader.step(opcode.name, " ".join(stream.readline().decode("ascii")[:-1] for _ in range(2)))
            else:
                reader.step(opcode.name, None if opcode.arg is None else opcode.arg.reader(stream))
    except PickleError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, StopIteration) as error:
        raise PickleError(f"it is damaged: {error!s:.200}") from None
    raise PickleError("it is damaged: it has no end")


class _Reader:
    """The stack machine of pickle."""

    def __init__(self, names: Mapping[str, Global], persistent: Callable[[Any], Any]) -> None:
        self.names, self.persistent = names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("it is damaged: a value is missing")
        return value

    def above_mark(self) -> list[Any]:
        place = next(i for i in reversed(range(len(self.stack))) if self.stack[i] is _MARK)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def step(self, name: str, argument: Any) -> None:
        push = self.stack.append
        if name in _PLAIN:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name in _EMPTY:
            push(_EMPTY[name]())
        elif name in _TUPLES:
            push(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        else:
            self.other(name, argument)

    def other(self, name: str, argument: Any) -> None:
        push = self.stack.append
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                push(_MARK)
            case "TUPLE":
                push(tuple(self.above_mark()))
            case "APPEND":
                self.extend([self.pop()])
            case "APPENDS":
                self.extend(self.above_mark())
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.update([key, value])
            case "SETITEMS":
                self.update(self.above_mark())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                push(self.memo[argument])
            case "GLOBAL":
                push(self.named(argument))
            case "STACK_GLOBAL":
                attribute, module = self.pop(), self.pop()
                push(self.named(f"{module} {attribute}"))
            case "BINPERSID":
                push(self.persistent(self.pop()))
            case "REDUCE":
                arguments, function = self.pop(), self.pop()
                push(self.call(function, arguments))
            case "BUILD":
                self.build(self.pop(), self.stack[-1])

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise PickleError("it is damaged: values without a list")
        self.stack[-1].extend(values)

    def update(self, pairs: list[Any]) -> None:
        into = self.stack[-1]
        if type(into) is not dict or len(pairs) % 2:
            raise PickleError("it is damaged: entries without a dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            into[_key(key)] = value

    def named(self, name: str) -> Global:
        if name not in self.names:
            raise PickleError(f"it names {name.replace(' ', '.', 1)!r:.200}, which is not data: it is not loaded")
        return self.names[name]

    def call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Global) or function.build is None or type(arguments) is not tuple:
            what = function.word if isinstance(function, Global) else type(function).__name__
            raise PickleError(f"it calls {what!r}, which is not a function that makes data")
        return function.build(*arguments)

    def build(self, content: Any, of: Any) -> None:
        if type(of) is dict:  # attributes of an OrderedDict, such as the versions of torch's modules
            return
        if not isinstance(of, Unfinished) or of.is_built:
            raise PickleError(f"it sets the state of a {type(of).__name__}")
        of.value, of.is_built = of.build(content), True


def _key(key: Any) -> Any:
    """Return the key of a dict: a text, number, or tuple of them; hashing others may run arbitrarily deep."""
    parts = key if type(key) is tuple else (key,)
    if not all(part is None or type(part) in (str, bytes, int, float, bool) for part in parts):
        raise PickleError("it has a dict whose keys are neither texts nor numbers")
    return key


class _Finisher:
    """Copies values, so that none is shared, contains itself, or is unfinished."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, value: Any, depth: int) -> Any:
        self.count += 1
        if depth > _MAX_DEPTH or self.count > _MAX_VALUES:
            raise PickleError(f"it is nested more than {_MAX_DEPTH} deep, or has more than {_MAX_VALUES} values")
        if type(value) is dict:
            return {key: self.value(entry, depth + 1) for key, entry in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.value(entry, depth + 1) for entry in value)
        if isinstance(value, Global):
            return value.word
        if isinstance(value, Unfinished):
            if not value.is_built:
                raise PickleError("it is damaged: an array without content")
            return self.value(value.value, depth + 1)
        if value is not None and type(value) not in (str, bytes, int, float, bool, np.ndarray):
            raise PickleError(f"it is damaged: it has a {type(value).__name__} in place of a value")
        return value


def _dtype(code: Any, *_: Any) -> Unfinished:
    """Return a dtype of numbers, whose content is its byte order."""
    if not isinstance(code, str) or code not in ("b1", *(f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8))):
        raise PickleError(f"it has an array of the dtype {code!r:.60}, which is not one of numbers")
    return Unfinished(lambda state: np.dtype(code).newbyteorder(">" if state[1] == ">" else "<"))


def _array(*_: Any) -> Unfinished:
    """Return an array, whose content is (version, shape, dtype, whether it is in Fortran order, bytes)."""

    def build(state: tuple[Any, ...]) -> np.ndarray:
        _, shape, dtype, fortran, content = state
        if not isinstance(content, bytes):
            raise PickleError("it has an array without bytes")
        return np.frombuffer(content, dtype.value).reshape(shape, order="F" if fortran else "C")

    return Unfinished(build)


def _scalar(dtype: Unfinished, content: bytes) -> int | float | bool:
    return np.frombuffer(content, dtype.value, 1)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise PickleError(f"it has bytes in the encoding {encoding!r:.60}")
    return text.encode("latin1")


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    return {_key(key): value for key, value in pairs}


NUMPY: dict[str, Global] = {
    "_codecs encode": Global("encode", _encode),
    "collections OrderedDict": Global("OrderedDict", _ordered_dict),
    "numpy dtype": Global("dtype", _dtype),
    "numpy ndarray": Global("ndarray"),
    **{f"numpy.{core}.multiarray _reconstruct": Global("array", _array) for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray scalar": Global("scalar", _scalar) for core in ("core", "_core")},
}
"""What pickles of containers, numbers and NumPy arrays name."""
