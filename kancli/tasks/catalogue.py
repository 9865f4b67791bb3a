"""The functions that tasks are named after: formula, domain and source. Imports neither numpy nor torch."""

from __future__ import annotations

from dataclasses import dataclass

from kancli.tasks.expression import Formula, parse

STUDY = (
    "Rigas, Verma, Alexandridis, Wang, Initialization Schemes for Kolmogorov-Arnold Networks: An Empirical Study,"
    " arXiv 2509.03417"
)
PYKAN = "pykan's first example, github.com/KindXiaoming/pykan"
KAN_GRID = "github.com/srigas/kan_grid, benchmarks/custom_funcs.py"
PHYSICS = "Udrescu, Tegmark, AI Feynman, Science Advances 6 (2020), made dimensionless; chosen by arXiv 2509.03417"
# Smallest magnitude of an input of a Feynman task, as in the study that chose them.
FEYNMAN_GAP = 1e-6


@dataclass(frozen=True)
class KnownFunction:
    """A function on a box with the same limits for every input.

    Args:
        text: its formula.
        low, high: limits of each input.
        gap: inputs of a smaller magnitude are moved to this one, with their sign.
        singular: whether it has a pole on the box.
        source: who chose it.
        title: a shorter form of a long formula.
    """

    text: str
    low: float = -1.0
    high: float = 1.0
    gap: float = 0.0
    singular: bool = False
    source: str = ""
    title: str = ""

    @property
    def formula(self) -> Formula:
        return parse(self.text)


_F3 = "i1(x)+exp(i1e(y))+sin(x*y)"
_F4 = f"{_F3}+erfinv(y)"

# step(0) = 1, so f5 changes its sign at x = 0.5; beyond xy = 1, which the box does not hold, the study's f5 goes on
# with erf(x)/(xy).
FUNCTIONS = {
    "f1": KnownFunction("x*y", source=STUDY),
    "f2": KnownFunction("exp(sin(pi*x)+y^2)", source=STUDY),
    "f3": KnownFunction(_F3, source=STUDY),
    "f4": KnownFunction(f"fresnel_s({_F4})*fresnel_c({_F4})", source=STUDY, title="S(z)*C(z), z=f3+erfinv(y)"),
    "f5": KnownFunction("y*(1-2*step(x-0.5))+x*y*erf(x)", source=STUDY),
    "hello": KnownFunction("exp(sin(pi*x)+y^2)", source=PYKAN),
    "runge": KnownFunction("1/(1+25*x^2)", source=KAN_GRID),
    "tanh50": KnownFunction("tanh(50*x)", source=KAN_GRID),
    "chirp": KnownFunction("sin(10*pi*x^2)", low=0.0, source=KAN_GRID),
    "cone": KnownFunction("sqrt(x^2+y^2+0.01)", low=0.0, source=KAN_GRID),
}


def _feynman(text: str, *, singular: bool = False) -> KnownFunction:
    return KnownFunction(text, low=-1.0 + FEYNMAN_GAP, gap=FEYNMAN_GAP, singular=singular, source=PHYSICS)


# By their labels in AI Feynman. Those with a pole on the box have errors that a few samples decide.
FEYNMAN = {
    "I.6.20": _feynman("exp(-x^2/(2*y^2))/sqrt(2*pi*y^2)", singular=True),
    "I.6.20b": _feynman("exp(-(x-y)^2/(2*z^2))/sqrt(2*pi*z^2)", singular=True),
    "I.12.11": _feynman("1+x*sin(y)"),
    "I.13.12": _feynman("x*(1/y-1)", singular=True),
    "I.16.6": _feynman("(x+y)/(1+x*y)"),
    "I.18.4": _feynman("(1+x*y)/(1+x)", singular=True),
    "I.26.2": _feynman("arcsin(x*sin(y))"),
    "I.27.6": _feynman("1/(1+x*y)", singular=True),
    "I.29.16": _feynman("sqrt(1+x^2-2*x*cos(y-z))"),
    "I.30.3": _feynman("sin(x*y/2)^2/sin(y/2)^2"),
    "I.40.1": _feynman("x*exp(-y)"),
    "I.50.26": _feynman("cos(x)+y*cos(x)^2"),
    "II.2.42": _feynman("(x-1)*y"),
    "II.6.15a": _feynman("z*sqrt(x^2+y^2)/(4*pi)"),
    "II.11.7": _feynman("x*(1+y*cos(z))"),
    "II.11.27": _feynman("x*y/(1-x*y/3)"),
    "II.35.18": _feynman("x/(exp(y)+exp(-y))"),
    "II.36.38": _feynman("x+y*z"),
    "III.10.19": _feynman("sqrt(1+x^2+y^2)"),
    "III.17.37": _feynman("y*(1+x*cos(z))"),
}
