"""Values that must never be seen: the API token, and the address of an open upload."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A text that cannot be formatted, printed, pickled or turned into JSON by accident.

    `str()`, `format()` and f-strings raise TypeError, so that a leak shows in the first test that runs over it;
    `repr()` gives `Secret(***)`, because tracebacks, dataclasses and pytest call it on their own. The one way to
    the text is `reveal()`, and that word is easy to search for.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself. Call it where it is used, and keep it in no variable."""
        return self.__value

    def scrubbed_from(self, text: str) -> str:
        """`text` with every occurrence of this secret replaced by `***`."""
        return text.replace(self.__value, "***") if self.__value else text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret cannot be made into text; use reveal() where it is needed")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret cannot be formatted; use reveal() where it is needed")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)
