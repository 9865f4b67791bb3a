"""The samplers: their laws, their streams, and what they say of bad files."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats
from scipy.stats import qmc

from kancli.errors import ConfigError
from kancli.inputs.samplers import SAMPLERS, File, Mesh, Normal, Sobol, Uniform

RANDOM = [Normal, Uniform, Sobol]


def test_normal_follows_its_law():
    x = Normal(n=2000, mean=1.0, std=3.0).sample(3, seed=0)
    assert x.shape == (2000, 3)
    assert stats.kstest(x.ravel(), stats.norm(1, 3).cdf).pvalue > 1e-4


@pytest.mark.parametrize("sampler", [Uniform, Sobol])
def test_uniform_and_sobol_fill_their_box(sampler):
    x = sampler(n=2048, low=-2.0, high=6.0).sample(3, seed=0)
    assert x.min() >= -2
    assert x.max() < 6
    assert stats.kstest(x[:, 1], stats.uniform(-2, 8).cdf).pvalue > 1e-4


@pytest.mark.parametrize("sampler", RANDOM)
def test_the_first_100_of_200_samples_are_the_100_samples(sampler):
    assert np.array_equal(sampler(n=100).sample(2, seed=3), sampler(n=200).sample(2, seed=3)[:100])


@pytest.mark.parametrize("sampler", RANDOM)
def test_seeds_differ(sampler):
    assert not np.array_equal(sampler().sample(2, seed=0), sampler().sample(2, seed=1))


def test_sobol_points_are_spread_more_evenly_than_random_ones():
    unit = Sobol(n=256, low=0.0, high=1.0).sample(4, seed=1)
    independent = stats.qmc.discrepancy(np.random.default_rng(0).random((256, 4)))
    assert qmc.discrepancy(unit) < 0.2 * independent
    # a digital net: one point in each of 256 slices of every axis
    assert all(len(set(np.floor(unit[:, axis] * 256))) == 256 for axis in range(4))


def test_mesh_is_every_combination_of_the_axis():
    x = Mesh(n=9, low=-1.0, high=1.0).sample(2, seed=0)
    assert sorted(map(tuple, x)) == [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
    assert Mesh(n=1).sample(40, seed=0).tolist() == [[0] * 40]


@pytest.mark.parametrize(
    ("n", "n_in", "offers"), [(99, 2, ["81", "100"]), (10, 4, ["1 (", "16"]), (1000, 2, ["961", "1024"])]
)
def test_mesh_that_does_not_come_out_names_the_nearest(n, n_in, offers):
    (fault,) = Mesh(n=n).faults(n_in)
    assert str(n) in fault
    assert all(offer in fault for offer in offers)


@pytest.mark.parametrize("n_in", [1, 2, 3, 5])
def test_mesh_of_a_whole_power_is_fine(n_in):
    for side in (1, 2, 3, 7):
        mesh = Mesh(n=side**n_in)
        assert mesh.faults(n_in) == []
        assert len(mesh.sample(n_in, seed=0)) == side**n_in


def test_reversed_box_is_told():
    for sampler in (Uniform, Sobol, Mesh):
        assert "low < high" in sampler(low=1.0, high=-1.0).faults(2)[0]


def test_files_give_their_rows(tmp_path):
    table = np.array([[1.5, -2.0], [3.0, 4e-3], [0.0, 1e10]])
    np.save(tmp_path / "x.npy", table)
    (tmp_path / "plain.csv").write_text("1.5,-2\n3, 4e-3\n\n0,1e10\n")
    (tmp_path / "header.csv").write_text("\ufeffa,b\r\n1.5,-2\r\n3,4e-3\r\n0,1e10\r\n")
    for name in ("x.npy", "plain.csv", "header.csv"):
        path = str(tmp_path / name)
        assert np.array_equal(File(path=path).sample(2, seed=0), table)
        assert np.array_equal(File(path=path, n=2).sample(2, seed=9), table[:2])
    np.save(tmp_path / "int.npy", np.arange(4).reshape(2, 2))
    assert File(path=str(tmp_path / "int.npy")).sample(2, seed=0).dtype == np.float64


BAD_FILES = {
    "ragged.csv": ("1,2\n3,4,5\n", ["row 2", "3 columns"]),
    "words.csv": ("a,b\n1,2\n3,x\n", ["row 3", "column 2", "'x'"]),
    "gap.csv": ("1,2\n3,\n", ["row 2", "column 2", "''"]),
    "nan.csv": ("1,2\nnan,2\n", ["row 2", "column 1", "nan", "finite"]),
    "inf.csv": ("1,2\n1,-inf\n", ["row 2", "column 2", "-inf", "finite"]),
    "empty.csv": ("", ["no rows"]),
    "semicolons.csv": ("1;2\n3,4\n", ["row 1", "column 1", "'1;2'"]),
    "underscore.csv": ("1,2\n1_0,2\n", ["row 2", "column 1", "'1_0'"]),
    "header_only.csv": ("a,b\n", ["no rows"]),
    "columns.csv": ("1,2,3\n", ["3 columns", "takes 2"]),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_csv_is_told_by_file_row_and_column(tmp_path, name):
    text, wanted = BAD_FILES[name]
    (tmp_path / name).write_text(text)
    (fault,) = File(path=str(tmp_path / name)).faults(2)
    assert "\n" not in fault
    for words in (name, *wanted):
        assert words in fault


def test_other_bad_files(tmp_path):
    def fault(name):
        (only,) = File(path=str(tmp_path / name)).faults(2)
        return only

    assert "no such file" in fault("missing.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory" in fault("folder.csv")
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)))
    assert "not a text file" in fault("bytes.csv")
    (tmp_path / "garbage.npy").write_bytes(b"\x93NUMPY garbage")
    assert "not a .npy file" in fault("garbage.npy")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not a .npy file of plain numbers" in fault("objects.npy")
    np.save(tmp_path / "flat.npy", np.zeros(3))
    assert "[3]" in fault("flat.npy")
    np.save(tmp_path / "complex.npy", np.zeros((2, 2), complex))
    assert "complex128" in fault("complex.npy")
    np.save(tmp_path / "nan.npy", np.array([[1.0, 2.0], [3.0, np.nan]]))
    assert "row 2, column 2 is nan" in fault("nan.npy")


def test_more_rows_than_there_are(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    (fault,) = File(path=str(tmp_path / "x.csv"), n=3).faults(2)
    assert "only 2 rows" in fault


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,2\n")
    assert File(path=str(path)).sample(2, seed=0).tolist() == [[1, 2]]
    path.write_text("1,2\n3,4\n")
    assert len(File(path=str(path)).sample(2, seed=0)) == 2


def test_every_sampler_is_known_by_name():
    assert set(SAMPLERS) == {"normal", "uniform", "sobol", "grid", "file"}


def test_errors_are_config_errors(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        File(path=str(tmp_path / "nothing.npy")).sample(2, seed=0)


@pytest.mark.parametrize(
    "kind", ["normal", *(pytest.param(name, marks=pytest.mark.slow) for name in ("uniform", "sobol"))]
)
def test_a_seed_of_the_samples_holds_for_all_members_and_runs(kan_run, kind):
    """They are the samples of a run with that seed; parameters keep to the run's own."""
    fixed = kan_run(f"inputs={kind}", "inputs.seed=7", "seed=3", "figures=none")
    assert fixed.code == 0, fixed.err
    plain = kan_run(f"inputs={kind}", "seed=7", "figures=none")
    members = kan_run(f"inputs={kind}", "inputs.seed=7", "n_seeds=2", "seed=3", "figures=none")
    inputs = [load_file(run.folder / "activations.safetensors")["inputs"] for run in (fixed, plain, members)]
    assert torch.equal(inputs[0], inputs[1])
    assert torch.equal(inputs[0], inputs[2])
    coef = [load_file(run.folder / "params.safetensors")["layers.0.coef"] for run in (fixed, plain)]
    assert not torch.equal(*coef)


def test_members_share_the_samples_of_a_fixed_seed():
    samples = SAMPLERS["normal"](n=5, seed=7).sample_each(2, seeds=[1, 2, 3])
    assert (samples == samples[:1]).all()
    assert not (SAMPLERS["normal"](n=5).sample_each(2, seeds=[1, 2])[0] == samples[0]).any()


def test_only_samplers_that_draw_have_a_seed(kan_run):
    answer = kan_run("inputs=grid", "inputs.seed=3")
    assert answer.code == 2
    assert "inputs.seed=3" in answer.err
