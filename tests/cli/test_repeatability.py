"""The same config gives the same numbers, however a run computes them."""

import pytest
import torch
from safetensors.torch import load_file


@pytest.mark.slow
def test_runs_repeat_to_the_byte(kan_run):
    first, second = kan_run("init=noisy"), kan_run("init=noisy")
    for name in ("stats.json", "params.safetensors", "activations.safetensors", "edges.csv", "figures/network.png"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


@pytest.mark.slow
def test_more_samples_keep_the_first_ones(kan_run):
    few, many = (kan_run(f"inputs.n={n}", "figures=none") for n in (100, 200))
    inputs = [load_file(run.folder / "activations.safetensors")["inputs"] for run in (few, many)]
    assert torch.equal(inputs[0], inputs[1][:100])
    params = [(run.folder / "params.safetensors").read_bytes() for run in (few, many)]
    assert params[0] == params[1]


@pytest.mark.slow
def test_chunks_do_not_change_the_statistics(kan_run, monkeypatch):
    one_chunk = kan_run("inputs.n=1000", "dtype=float64", "figures=none")
    monkeypatch.setattr("kancli.config.memory.CHUNK_NUMBERS", 1000)
    chunks = kan_run("inputs.n=1000", "dtype=float64", "figures=none")
    for a, b in zip(one_chunk.json("stats.json")["layers"], chunks.json("stats.json")["layers"], strict=True):
        assert a["postacts"] == pytest.approx(b["postacts"], rel=1e-10)
        assert a["spline_share"] == pytest.approx(b["spline_share"], rel=1e-10)
        assert a["off_grid"] == b["off_grid"]
    tensors = [load_file(run.folder / "activations.safetensors") for run in (one_chunk, chunks)]
    for name in tensors[0]:
        torch.testing.assert_close(tensors[0][name], tensors[1][name])


@pytest.mark.slow
def test_sweep_job_equals_the_single_run(kan_run, tmp_path):
    kan_run("-m", "seed=0,3", "init=noisy", "figures=default")
    single = kan_run("seed=3", "init=noisy")
    (job,) = tmp_path.glob("multirun/*/*/1")
    for name in ("params.safetensors", "activations.safetensors", "stats.json", "figures/network.png"):
        assert (job / name).read_bytes() == (single.folder / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        ["width=bottleneck", "inputs.n=20000", "activations.n=20000", "init=pykan_0_2_8"],
        ["width=64-128-10", "init=glorot", "stats=full", "activations.n=100"],
        ["n_seeds=70", "width=8-8-1", "init=lecun_norm"],
        ["n_seeds=3", "width=8-8-1", "grid.adapt=samples"],
    ],
    ids=" ".join,
)
def test_results_do_not_depend_on_the_number_of_threads(kan_run, case):
    before, records = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            record = kan_run(*case, "figures=none").json("run.json")
            assert record["threads"] == threads
            records.append((record["ladder"], record["sha256"]["tensors"]))
    finally:
        torch.set_num_threads(before)
    assert records[0] == records[1] == records[2]
