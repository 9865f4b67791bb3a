"""Equations: the residual of the solution is 0, references agree with a second method, and the places are those of the
sources."""

import math

import numpy as np
import pytest
import torch

from kancli.tasks import references
from kancli.tasks.pdes import EQUATIONS, Equation
from kancli.tasks.task import RBA


def derivatives(u, x, wanted):
    """u(x) and its derivatives by reverse-mode differentiation, twice."""
    x = x.clone().requires_grad_()
    value = u(x)
    (first,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    found = {(): value}
    for which in wanted:
        column = first[..., which[0]]
        if len(which) == 2:
            column = torch.autograd.grad(column.sum(), x, create_graph=True)[0][..., which[1]]
        found[which] = column.unsqueeze(-1)
    return {which: column.detach() for which, column in found.items()}


@pytest.mark.parametrize(("name", "frequency"), [("poisson", 1), ("helmholtz", 4)])
def test_the_residual_of_the_solution_is_zero(name, frequency):
    data = Equation(name=name).data()

    def u(x):
        return torch.sin(math.pi * x[..., :1]) * torch.sin(frequency * math.pi * x[..., 1:])

    exact = derivatives(u, data.collocation, data.derivatives)
    assert float(data.residual(data.collocation, exact).abs().max()) < 1e-11
    assert float((u(data.boundary.x) - data.boundary.y).abs().max()) < 1e-14
    torch.testing.assert_close(u(data.mesh.x), data.mesh.y)
    shifted = {which: value + 1 for which, value in exact.items()}
    assert float(data.residual(data.collocation, shifted).abs().min()) > 1


def test_the_residual_of_burgers_by_differences():
    """Of fourth order in t and x, where u is smooth."""
    data = Equation(name="burgers").data()
    step = 1e-3
    t, x = np.linspace(0.2, 0.3, 4), np.linspace(0.3, 0.9, 7)
    offsets = [*((number, 0) for number in range(-2, 3)), (0, -2), (0, -1), (0, 1), (0, 2)]
    around = {(i, j): references.burgers(t + i * step, x + j * step) for i, j in offsets}

    def first(values):
        return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)

    u = around[0, 0]
    u_t = first([around[i, 0] for i in (-2, -1, 1, 2)])
    u_x = first([around[0, j] for j in (-2, -1, 1, 2)])
    neighbours = 16 * (around[0, -1] + around[0, 1]) - around[0, -2] - around[0, 2]
    u_xx = (neighbours - 30 * u) / (12 * step**2)
    exact = {(): u, (0,): u_t, (1,): u_x, (1, 1): u_xx}
    residual = data.residual(torch.zeros(4, 7, 2), {which: torch.from_numpy(value) for which, value in exact.items()})
    assert float(residual.abs().max()) < 1e-7
    assert np.abs(u_t).max() > 0.1  # the terms are no zeros


def test_the_residual_of_allen_cahn_at_given_derivatives():
    u = {which: torch.tensor([[[value]]]) for which, value in {(): 0.5, (0,): 2.0, (1, 1): 100.0}.items()}
    residual = Equation(name="allen_cahn").data().residual(torch.zeros(1, 1, 2), u)
    assert float(residual) == pytest.approx(2 - 1e-4 * 100 - 5 * (0.5 - 0.125))


def test_residuals_take_members_and_the_number_type_given():
    for name in EQUATIONS:
        data = Equation(name=name).data()
        x = data.collocation[:9].float().expand(3, 9, 2)
        u = {which: torch.ones(3, 9, 1, requires_grad=True) for which in ((), *data.derivatives)}
        residual = data.residual(x, u)
        assert residual.shape == (3, 9, 1)
        assert residual.dtype == torch.float32
        residual.sum().backward()
        assert all(value.grad is not None for value in u.values() if name not in ("poisson",) or value is not u[()])


def test_the_steepest_slope_of_burgers():
    """|u_x(0, t)| is largest, 152.00516, at pi t = 1.6037 (Basdevant et al., 1986, table 2)."""
    times, step = np.array([1.60, 1.6037, 1.61]) / math.pi, 1e-6
    slopes = references.burgers(times, np.array([step]))[:, 0] / -step
    assert slopes[1] == pytest.approx(152.00516, abs=1e-4)
    assert slopes[1] > max(slopes[0], slopes[2])


@pytest.mark.slow
def test_burgers_by_a_fourier_series():
    """A pseudo-spectral method in x with Runge-Kutta steps; the solution is odd and periodic."""
    from scipy.integrate import solve_ivp

    n = 1024
    x = -1 + 2 * np.arange(n) / n
    wave = np.pi * np.arange(n // 2 + 1)

    def velocity(_, u):
        spectrum, flux = np.fft.rfft(u), np.fft.rfft(u**2 / 2)
        return np.fft.irfft(-1j * wave * flux - references.BURGERS_VISCOSITY * wave**2 * spectrum)

    times = np.linspace(0, 1, 5)
    solution = solve_ivp(velocity, (0, 1), -np.sin(np.pi * x), "RK45", times, rtol=1e-8, atol=1e-10)
    assert np.abs(solution.y.T - references.burgers(times, x)).max() < 1e-5


@pytest.mark.slow
def test_allen_cahn_by_differences():
    """Differences of fourth order on the right half, mirrored at 0, with Runge-Kutta steps."""
    from scipy.integrate import solve_ivp

    n = 2500
    x = np.linspace(0, 1, n + 1)

    def velocity(_, u):
        wide = np.concatenate([u[2:0:-1], u, [-2 - u[-2], -2 - u[-3]]])  # even at 0; u + 1 odd at 1
        second = (16 * (wide[1:-3] + wide[3:-1]) - wide[:-4] - wide[4:] - 30 * u) * n**2 / 12
        rate = references.ALLEN_CAHN_DIFFUSION * second + references.ALLEN_CAHN_RATE * (u - u**3)
        rate[-1] = 0
        return rate

    times = np.linspace(0, 1, 5)
    solution = solve_ivp(velocity, (0, 1), x**2 * np.cos(np.pi * x), "RK45", times, rtol=1e-7, atol=1e-9)
    assert np.abs(solution.y.T - references.allen_cahn(5, x)).max() < 1e-5


@pytest.mark.parametrize("name", ["burgers", "allen_cahn"])
def test_the_references_begin_and_end_as_they_should(name):
    data = Equation(name=name).data()
    places = {tuple(place): value for place, value in zip(data.mesh.x.tolist(), data.mesh.y[:, 0].tolist())}
    initial = {x: value for (t, x), value in places.items() if t == 0}
    assert len(places) == 101 * 256
    assert len(initial) == 256
    start = (lambda x: -math.sin(math.pi * x)) if name == "burgers" else (lambda x: x**2 * math.cos(math.pi * x))
    assert max(abs(value - start(x)) for x, value in initial.items()) < 1e-8
    ends = [value for (_, x), value in places.items() if abs(x) == 1]
    assert np.abs(np.array(ends) - (0 if name == "burgers" else -1)).max() < 1e-12
    for place, value in zip(data.boundary.x.tolist(), data.boundary.y[:, 0].tolist()):
        t, x = place
        assert value == pytest.approx(
            start(x) if t == 0 and abs(x) < 1 else (-1 if name == "allen_cahn" else 0), abs=1e-12
        )


def test_places_are_those_of_the_sources():
    counts = {}
    for name in EQUATIONS:
        task = Equation(name=name)
        data = task.data()
        counts[name] = (len(data.collocation), len(data.boundary.x), data.residual_weight)
        assert len(data.collocation) == task.n_train
        assert len(data.boundary.x) == EQUATIONS[name].n_border
        assert task.faults((2, 8, 8, 1)) == []
    study = (64**2, 192, 1.0)
    assert counts == {
        "poisson": (21**2, 84, 0.01),
        "allen_cahn": study,
        "burgers": study,
        "helmholtz": (64**2, 256, 1.0),
    }
    corners = Equation(name="burgers").data().collocation[[0, 63, -1]].tolist()
    assert corners == [[0, -1], [0, 1], [1, 1]]
    sides = Equation(name="helmholtz").data().boundary.x
    assert bool((sides.abs().max(dim=1).values == 1).all())
    assert len(sides.unique(dim=0)) == 4 * 64 - 4


def test_the_weights_are_as_asked():
    assert [Equation(name="burgers", rba=rba).data().rba for rba in RBA] == list(RBA)


def test_a_reference_is_computed_once(monkeypatch):
    Equation(name="burgers").data()
    monkeypatch.setattr(references, "burgers", None)
    first, second = (Equation(name="burgers").data().mesh.y for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.slow
def test_the_mesh_is_fine_enough_for_three_digits():
    """The relative error of u + 0.01 sin(3x + t) on the study's mesh and on the coarser one."""

    def error(n_times, n_places):
        t, x = np.linspace(0, 1, n_times), np.linspace(-1, 1, n_places)
        off = 0.01 * np.sin(3 * x + t[:, None])
        return np.linalg.norm(off) / np.linalg.norm(references.burgers(t, x))

    assert error(101, 256) == pytest.approx(error(201, 512), rel=5e-3)
