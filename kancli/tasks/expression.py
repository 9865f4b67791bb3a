"""Formulas in x0, x1, ... or x, y, z: parsed to postfix steps, which `evaluate` computes. Nothing typed is executed.

    sum     = product (("+" | "-") product)*
    product = unary (("*" | "/") unary)*
    unary   = ("+" | "-") unary | power
    power   = atom (("^" | "**") unary)?        to the right: 2^3^2 is 2^9; -x^2 is -(x^2)
    atom    = number | constant | variable | function "(" sum ("," sum)* ")" | "(" sum ")"

Imports neither numpy nor torch.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from kancli.schema import FaultError
from kancli.synonyms import nearest

CONSTANTS = {"pi": math.pi, "e": math.e}
LETTERS = ("x", "y", "z")
MAX_CHARACTERS = 2000
MAX_DEPTH = 50
# Numbers of arguments by name.
FUNCTIONS = {
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"), 1),
    **dict.fromkeys(("exp", "log", "sqrt", "abs", "sign", "step"), 1),
    **dict.fromkeys(("erf", "erfinv", "i1", "i1e", "fresnel_s", "fresnel_c"), 1),
    **dict.fromkeys(("min", "max", "pow"), 2),
}
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "ln": "log"}
OPERATORS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "^": "pow", "**": "pow"}
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/^(),]))"
)


@dataclass(frozen=True)
class Call:
    """A function or an operator, by its name in `evaluate`, and its number of arguments."""

    name: str
    n_arguments: int


Step = float | int | Call  # a number, the number of an input, or what is applied to the last values


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Args:
        text: as typed.
        steps: in postfix order: each pushes a value, or replaces the last ones by a function of them.
        n_in: one more than the largest number of a variable.
    """

    text: str
    steps: tuple[Step, ...]
    n_in: int


@dataclass(frozen=True)
class FormulaKind:
    """A formula of a key."""

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise FaultError(self.describe())
        parse(value)
        return value

    def describe(self) -> str:
        return "a formula in x0, x1, ... (or x, y, z), such as exp(sin(pi*x0)+x1^2)"


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Formula:
    """Parse a formula.

    Raises:
        FaultError: it is none; the message gives the character, from 1, and what is allowed there.
    """
    if len(text) > MAX_CHARACTERS:
        raise FaultError(f"a formula of at most {MAX_CHARACTERS} characters; it has {len(text)}")
    parser = _Parser(text)
    parser.sum(0)
    if parser.token:
        parser.fail(_after_operand(parser.token))
    if not parser.n_in:
        raise FaultError("a formula with at least one variable, x0, x1, ... or x, y, z")
    return Formula(text, tuple(parser.steps), parser.n_in)


def _after_operand(token: str) -> str:
    if token == ")":
        return "no bracket is open here"
    if token == ",":
        return "a comma stands between the arguments of a function only"
    return "an operator is missing before it; write products as 2*x"


class _Parser:
    """Recursive descent over the tokens of a text."""

    def __init__(self, text: str) -> None:
        self.text, self.n_in, self.end = text, 0, 0
        self.steps: list[Step] = []
        self.kind, self.token, self.start = "", "", 0
        self.advance()

    def advance(self) -> str:
        """Go to the next token; return the one left behind. The token is '' at the end."""
        left = self.token
        match = TOKEN.match(self.text, self.end)
        if match:
            self.kind, self.token = match.lastgroup or "", match[match.lastgroup or 0]
            self.start, self.end = match.end() - len(self.token), match.end()
            return left
        rest = self.text[self.end :]
        self.start = self.end + len(rest) - len(rest.lstrip())
        self.kind, self.token = "", rest.strip()[:1]
        if self.token:
            self.fail("no such character in a formula")
        return left

    def fail(self, reason: str, place: int | None = None, token: str | None = None) -> NoReturn:
        shown = self.token if token is None else token
        at = f"character {(self.start if place is None else place) + 1}, {shown!r}" if shown else "its end"
        raise FaultError(f"a formula; at {at}: {reason}")

    def sum(self, depth: int) -> None:
        self.operators(("+", "-"), self.product, depth)

    def product(self, depth: int) -> None:
        self.operators(("*", "/"), self.unary, depth)

    def operators(self, signs: tuple[str, ...], operand: Callable[[int], None], depth: int) -> None:
        """Operands joined from the left."""
        operand(depth)
        while self.token in signs:
            name = OPERATORS[self.advance()]
            operand(depth)
            self.steps.append(Call(name, 2))

    def unary(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep")
        if self.token in ("+", "-"):
            sign = self.advance()
            self.unary(depth + 1)
            self.steps += [Call("negative", 1)] if sign == "-" else []
        else:
            self.power(depth)

    def power(self, depth: int) -> None:
        self.atom(depth)
        if self.token in ("^", "**"):
            self.advance()
            self.unary(depth + 1)
            self.steps.append(Call("pow", 2))

    def atom(self, depth: int) -> None:
        place = self.start
        if self.kind == "number":
            value = float(self.advance())
            if not math.isfinite(value):
                self.fail("a finite number is allowed", place, "number")
            self.steps.append(value)
        elif self.kind == "name":
            self.name(depth)
        elif self.token == "(":
            self.advance()
            self.sum(depth + 1)
            self.close(place)
        else:
            self.fail("a number, a variable, a function or a bracket is missing here")

    def name(self, depth: int) -> None:
        place, typed = self.start, self.advance()
        name = ALIASES.get(typed, typed)
        match = re.fullmatch(r"x(0|[1-9]\d{0,2})", name)
        if name in FUNCTIONS:
            self.arguments(name, place, depth)
            self.steps.append(Call(name, FUNCTIONS[name]))
        elif name in CONSTANTS:
            self.steps.append(CONSTANTS[name])
        elif name in LETTERS or match:
            index = int(match[1]) if match else LETTERS.index(name)
            self.n_in = max(self.n_in, index + 1)
            self.steps.append(index)
        else:
            known = ["x0, x1, ... or x, y, z", *CONSTANTS, *FUNCTIONS]
            self.fail(f"no such name; known: {', '.join(known)}{nearest(name, known[1:])}", place, typed)

    def arguments(self, name: str, place: int, depth: int) -> None:
        if self.token != "(":
            self.fail(f"a function has brackets, {name}(...)", place, name)
        given, bracket = 0, self.start
        while not given or self.token == ",":
            self.advance()
            self.sum(depth + 1)
            given += 1
        self.close(bracket)
        if given != FUNCTIONS[name]:
            self.fail(f"takes {FUNCTIONS[name]}, given: {given}", place, name)

    def close(self, bracket: int) -> None:
        if self.token != ")":
            missing = f"the bracket at character {bracket + 1} is not closed"
            self.fail(_after_operand(self.token) if self.token else missing)
        self.advance()
