"""The stored form of a quantity: the API server writes each in its canonical form. Pure.

Source: Kubernetes API reference, ``Quantity`` ("Before serializing, Quantity will be put in canonical form"):
no fraction, the largest suffix that allows it, and nothing finer than a billionth. Custom resources keep the
original text.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?[0-9]+))")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_FINEST = -9


def canonical_amount(value: Any) -> Any:
    """Return the text that is stored for an amount of a resource: :func:`canonical`, in whole thousandths."""
    return canonical(value, finest=-3)


def canonical(value: Any, *, finest: int = _FINEST) -> Any:
    """
    Return the stored text of a quantity; an invalid one is kept, and the validation refuses it.

    ``0.5`` becomes ``500m``, ``1024Mi`` becomes ``1Gi``, the number 1 becomes ``1``.

    :param finest: Power of ten; finer amounts are rounded up.
    """
    match = _FORM.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None or isinstance(value, bool):
        return value
    mantissa, binary, decimal, power = match.groups()
    with localcontext(prec=100):
        number = Decimal(mantissa)
        if binary:
            number *= 1024 ** _BINARY.index(binary)
        else:
            number = number.scaleb(int(power) if power else 3 * _DECIMAL.index(decimal or "") + _FINEST)
        units = number.scaleb(-finest).to_integral_value(ROUND_UP)
        billionths = int(units.scaleb(finest - _FINEST))
    whole, fraction = divmod(abs(billionths), 10**-_FINEST)
    sign = "-" if billionths < 0 else ""
    if binary and whole >= 1024 and not fraction:
        size, count = _shorten(whole, 1024, len(_BINARY) - 1)
        return f"{sign}{size}{_BINARY[count]}"
    size, count = _shorten(abs(billionths), 1000, len(_DECIMAL) - 1)
    exponent = 3 * count + _FINEST
    if not size:
        return "0"
    if power is not None:
        return f"{sign}{size}" + (f"e{exponent}" if exponent else "")
    return f"{sign}{size}{_DECIMAL[count]}"


def _shorten(number: int, base: int, limit: int) -> tuple[int, int]:
    """Divide by the base as often as possible without loss."""
    count = 0
    while number and count < limit and number % base == 0:
        number, count = number // base, count + 1
    return number, count
