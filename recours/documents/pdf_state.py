"""The state in which a PDF's operators draw."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

_WHITE = {1: [1], 3: [1, 1, 1], 4: [0, 0, 0, 0]}  # by how many numbers tell a colour
Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def matrix_of(operands: Iterable[Any]) -> Matrix:
    a, b, c, d, e, f = (float(number) for number in operands)
    return a, b, c, d, e, f


def times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


@dataclass(frozen=True)
class GraphicsState:
    """What `q` saves and `Q` brings back, as far as it matters here."""

    matrix: Matrix = IDENTITY
    fills_white: bool = False
    strokes_white: bool = False
    font: Any = None
    size: float = 0.0
    leading: float = 0.0

    def after(self, operator: bytes, operands: Any, fonts: Any) -> "GraphicsState":  # noqa: PLR0911 (a table)
        """The state that an operator leaves."""
        match operator:
            case b"cm":
                return replace(self, matrix=times(matrix_of(operands), self.matrix))
            case b"Tf":
                return replace(self, font=fonts.get(operands[0]), size=float(operands[1]))
            case b"TL":
                return replace(self, leading=float(operands[0]))
            case b"TD":
                return replace(self, leading=-float(operands[1]))
            case b"g" | b"rg" | b"k" | b"sc" | b"scn":
                return replace(self, fills_white=_is_white(operands))
            case b"G" | b"RG" | b"K" | b"SC" | b"SCN":
                return replace(self, strokes_white=_is_white(operands))
            case _:
                return self


def _is_white(operands: Any) -> bool:
    return list(operands) == _WHITE.get(len(operands))
