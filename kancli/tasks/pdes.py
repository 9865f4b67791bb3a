"""Tasks that are partial differential equations in two variables. Imports neither numpy nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kancli.schema import REQUIRED, Choice, key
from kancli.tasks.catalogue import STUDY
from kancli.tasks.task import RBA, Differential, Task


@dataclass(frozen=True)
class KnownEquation:
    """An equation for u, with what it holds on the border.

    Args:
        text: the equation; derivatives are indices.
        border: initial and boundary values.
        n_collocation: number of places where the residual is evaluated.
        n_border: number of places with a value.
        reference: how the solution is known.
        source: who chose it.
    """

    text: str
    border: str
    n_collocation: int
    n_border: int
    reference: str
    source: str = STUDY


EQUATIONS = {
    "poisson": KnownEquation(
        "u_xx + u_yy + 2 pi^2 sin(pi x) sin(pi y) = 0",
        "u = 0 on the border of [-1, 1]^2",
        21**2,
        84,
        "sin(pi x) sin(pi y)",
        "pykan's example 6, Solving Partial Differential Equation, with its mesh and its factor 0.01 on the residual",
    ),
    "allen_cahn": KnownEquation(
        "u_t = 1e-4 u_xx + 5 (u - u^3)",
        "u(0, x) = x^2 cos(pi x), u(t, -1) = u(t, 1) = -1",
        64**2,
        192,
        "a cosine series of 2048 terms, by split steps",
    ),
    "burgers": KnownEquation(
        "u_t + u u_x = 0.01/pi u_xx",
        "u(0, x) = -sin(pi x), u(t, -1) = u(t, 1) = 0",
        64**2,
        192,
        "the transformation of Cole and Hopf, by quadrature",
    ),
    "helmholtz": KnownEquation(
        "u_xx + u_yy + u = (1 - 17 pi^2) sin(pi x) sin(4 pi y)",
        "u = 0 on the border of [-1, 1]^2",
        64**2,
        256,
        "sin(pi x) sin(4 pi y)",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Equation(Task):
    """A partial differential equation, whose residual and border values are learned."""

    is_equation: ClassVar[bool] = True
    name: str = key(REQUIRED, Choice(tuple(EQUATIONS)), "which equation")
    rba: str = key(
        "detached",
        Choice(RBA),
        "residual-based weights, by place: detached; published: gradients flow through them too, as in the published"
        " code; none",
    )

    @property
    def n_in(self) -> int:
        return 2

    @property
    def n_out(self) -> int:
        return 1

    @property
    def n_train(self) -> int:
        return EQUATIONS[self.name].n_collocation

    @property
    def label(self) -> str:
        return f"{self.name}: {EQUATIONS[self.name].text}"

    def facts(self) -> dict[str, str]:
        equation = EQUATIONS[self.name]
        facts = super().facts()
        facts["border"] = equation.border
        facts["training"] = (
            f"the residual on a mesh of {equation.n_collocation} points, and {equation.n_border} on the border"
        )
        if self.rba != "none":
            facts["weights"] = f"residual-based, {self.rba}"
        facts["error"] = f"relative L2 norm on a regular mesh; the solution: {equation.reference}"
        return facts | {"source": equation.source}

    def data(self) -> Differential:
        from kancli.tasks.equations import differential

        return differential(self.name, self.rba)
