"""Values as text, for messages."""


def shown(value: object, length: int = 200) -> str:
    """Return the repr of a value for an error message, without the middle of a long one.

    It returns a text for every value: that of an object without a repr, such as a list that is too deep or an integer
    of too many digits, is its type.

    Args:
        value: the value.
        length: the largest number of characters.

    Example:
        >>> from irreps_core import shown
        >>> shown("1o")
        "'1o'"
        >>> shown("1o + " * 1000, 30)
        "'1o + 1o + 1 ...  1o + 1o + '"
    """
    try:
        return shortened(repr(value), length)
    except KeyboardInterrupt:  # the user's
        raise
    except BaseException:  # a `__repr__` may fail in any way
        return f"<{shortened(type(value).__name__, length)}, which has no repr>"


def shortened(text: str, length: int = 200) -> str:
    """Return a text, without the middle of a long one.

    Args:
        text: the text.
        length: the largest number of characters.
    """
    return text if len(text) <= length else f"{text[: length // 2 - 3]} ... {text[3 - length // 2 :]}"
