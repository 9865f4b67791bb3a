"""Formulas: their values against Python's own arithmetic, and the answers to mistakes."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kancli.schema import FaultError
from kancli.tasks.evaluate import BINARY, ELEMENTWISE, evaluate
from kancli.tasks.expression import FUNCTIONS, MAX_CHARACTERS, FormulaKind, parse
from kancli.tasks.functions import Expression

X, Y, Z = 0.3, -0.7, 1.9
VALUES = {
    "x": X,
    "x0+x1*x2": X + Y * Z,
    "-x^2": -(X**2),
    "2^-z": 2**-Z,
    "2**3**2*x": 512 * X,
    "x-y-z": (X - Y) - Z,
    "x/y/z": (X / Y) / Z,
    "x/(y/z)": X / (Y / Z),
    "- -x": X,
    "+x": X,
    ".5e1*x - 1.": 5 * X - 1,
    "e^x*pi": math.e**X * math.pi,
    "min(x,y)+max(x, max(y,z))": Y + Z,
    "pow(z,x)": Z**X,
    "z^x": Z**X,
    "exp(log(z))": Z,
    "sqrt(abs(y))": math.sqrt(0.7),
    "asin(x)+arccos(x)+atan(x)": math.pi / 2 + math.atan(X),
    "sinh(x)+cosh(x)+tanh(x)": math.exp(X) + math.tanh(X),
    "sin(x)+cos(x)+tan(x)": math.sin(X) + math.cos(X) + math.tan(X),
    "sign(y)+step(y)+step(x)+step(x-x)": -1 + 0 + 1 + 1,
    "erf(x)": math.erf(X),
    "erf(erfinv(x))": X,
    "ln(z)": math.log(Z),
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text):
    x = torch.tensor([[X, Y, Z]], dtype=torch.float64)
    assert float(evaluate(parse(text), x)) == pytest.approx(VALUES[text], rel=1e-12)


def test_special_functions_against_their_series():
    """I1(x) = sum (x/2)^(2m+1) / (m! (m+1)!), i1e = exp(-|x|) I1; S and C by their power series at x."""
    i1 = sum((X / 2) ** (2 * m + 1) / (math.factorial(m) * math.factorial(m + 1)) for m in range(20))
    half = math.pi / 2
    terms = range(12)
    s = sum(
        (-1) ** m * half ** (2 * m + 1) * X ** (4 * m + 3) / (math.factorial(2 * m + 1) * (4 * m + 3)) for m in terms
    )
    c = sum((-1) ** m * half ** (2 * m) * X ** (4 * m + 1) / (math.factorial(2 * m) * (4 * m + 1)) for m in terms)
    x = torch.tensor([[X]], dtype=torch.float64)
    found = [float(evaluate(parse(f"{name}(x)"), x)) for name in ("i1", "i1e", "fresnel_s", "fresnel_c")]
    assert found == pytest.approx([i1, math.exp(-X) * i1, s, c], rel=1e-12)


def test_every_function_can_be_evaluated():
    assert {*FUNCTIONS, "negative", "add", "subtract", "multiply", "divide"} == {*ELEMENTWISE, *BINARY}


def test_random_formulas_against_python():
    """Trees of operators and numbers, written with as few brackets as Python needs to read them alike."""
    generator = random.Random(1)

    def formula(depth):
        if depth == 0:
            return generator.choice(["x", "y", "z", "2", "0.5", "3e-1"])
        left, right = formula(depth - 1), formula(depth - 1)
        sign = generator.choice("+-*/")
        return generator.choice([f"{left}{sign}{right}", f"({left}){sign}({right})", f"-({left})", f"({left})**2"])

    x = torch.tensor([[X, Y, Z]], dtype=torch.float64)
    for _ in range(300):
        text = formula(4) + "+x*0"
        try:
            expected = eval(text, {"x": X, "y": Y, "z": Z})  # the oracle
        except ZeroDivisionError:
            continue
        assert float(evaluate(parse(text), x)) == pytest.approx(expected, rel=1e-9), text


def test_the_bits_of_a_sample_do_not_depend_on_the_others():
    x = torch.linspace(0.01, 3, 1001, dtype=torch.float64)[:, None].repeat(1, 2)
    formula = parse("exp(sin(x)*y)^x+x^3+y^0.3+log(x)*tanh(y)")
    assert torch.equal(evaluate(formula, x)[17:20], evaluate(formula, x[17:20]))


def test_a_long_formula_is_no_deep_one():
    x = torch.tensor([[X]], dtype=torch.float64)
    assert float(evaluate(parse("x+" * 900 + "x"), x)) == pytest.approx(901 * X)


@pytest.mark.parametrize(("text", "n_in"), [("x0+x2", 3), ("z", 3), ("x7*0", 8), ("y+x1", 2)])
def test_the_largest_variable_sets_the_number_of_inputs(text, n_in):
    assert parse(text).n_in == n_in


MISTAKES = {
    "sin(q0)": "at character 5, 'q0': no such name; known: x0, x1, ... or x, y, z, pi, e, sin",
    "sine(x)": "did you mean sin?",
    "2x": "at character 2, 'x': an operator is missing before it; write products as 2*x",
    "x y": "at character 3, 'y': an operator is missing",
    "sin x": "at character 1, 'sin': a function has brackets, sin(...)",
    "(x+1": "at its end: the bracket at character 1 is not closed",
    "sin(x": "at its end: the bracket at character 4 is not closed",
    "x)": "at character 2, ')': no bracket is open here",
    "x+": "at its end: a number, a variable, a function or a bracket is missing here",
    "*x": "at character 1, '*': a number",
    "": "at its end: a number",
    "min(x)": "at character 1, 'min': takes 2, given: 1",
    "sin(x,y)": "at character 1, 'sin': takes 1, given: 2",
    "(x,y)": "a comma stands between the arguments of a function only",
    "x.real": "at character 2, '.': no such character in a formula",
    "x[0]": "at character 2, '[': no such character",
    "__import__('os')": "at character 1, '__import__': no such name",
    "x if x else y": "an operator is missing before it",
    "3*pi": "at least one variable",
    "x1000": "no such name",
    "x00": "no such name",
    "x+1e999": "at character 3, 'number': a finite number is allowed",
    "(" * 60 + "x" + ")" * 60: "nested more than 50 deep",
    "-" * 60 + "x": "nested more than 50 deep",
    "x^" * 60 + "x": "nested more than 50 deep",
    "x+" * 1500 + "x": f"at most {MAX_CHARACTERS} characters",
    "×": "at character 1, '×': no such character",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes(text):
    with pytest.raises(FaultError) as fault:
        FormulaKind().check(text)
    assert MISTAKES[text] in str(fault.value)


def test_a_value_that_is_not_finite_is_refused_with_its_place():
    assert Expression(formula="log(x0)", low=0.5).value_faults() == []
    (fault,) = Expression(formula="log(x0)").value_faults()
    assert fault.startswith("task=log(x0): is nan at x0=-")
    assert "change these, or the formula" in fault
    (fault,) = Expression(formula="1/x", low=0.0).value_faults()
    assert "is inf at x0=0;" in fault  # the end of the mesh
    (fault,) = Expression(formula="x", low=1.0).faults((1, 1))
    assert fault == "task.low=1 task.high=1: allowed: low < high"


def test_numbers_beyond_the_number_type_are_refused():
    task = Expression(formula="exp(100*x)")
    (fault,) = task.value_faults()
    assert fault.startswith("task=exp(100*x): has numbers of size 2.68812e+43, beyond float32 (3.4e38 at most)")
    assert task.value_faults("float64") == []
    assert "beyond float32" in Expression(formula="0*x", high=1e39).value_faults()[0]


def test_targets_whose_squares_overflow_are_refused():
    """Each network would diverge before its first step."""
    (fault,) = Expression(formula="1e25*x").value_faults()
    assert fault.startswith("task=1e25*x: has targets of size 1e+25, whose squares, of which the loss is a mean, are")
    assert Expression(formula="1e25*x").value_faults("float64") == []
    assert Expression(formula="1e200*x").value_faults("float64") != []
    assert Expression(formula="1e19*x").value_faults() == []


@given(st.text("xyz019.+-*/^(), esincoplgtabr", max_size=30))
def test_any_text_is_a_formula_or_refused_in_one_line(text):
    message = ""
    try:
        formula = parse(text)
    except FaultError as fault:
        message = str(fault)
    if message:
        assert message.startswith("a formula")
        assert "\n" not in message
        return
    x = torch.linspace(-1, 1, 2 * formula.n_in, dtype=torch.float64).reshape(2, -1)
    assert evaluate(formula, x).shape == (2, 1)


def test_the_box_of_an_expression():
    data = Expression(formula="x+10*y", low=2.0, high=3.0, n=500).data()
    assert (float(data.mesh.y.min()), float(data.mesh.y.max())) == (22, 33)
    assert 2 <= float(data.train.x.min()) < 2.05
    assert Expression(formula="x0+x5").data().mesh is None  # a mesh over six inputs would be large
    assert len(Expression(formula="x0+x4").data().mesh.x) == 10**5
