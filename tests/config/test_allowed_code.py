"""Hydra's part of a config names no code but Hydra's own, Python's loggers and Optuna's samplers."""

import pytest


@pytest.fixture
def own(tmp_path):
    """An empty folder for --config-dir."""
    folder = tmp_path / "DIR"
    folder.mkdir()
    return folder


FOREIGN_CODE = [
    ("hydra.callbacks", "{mine: {_target_: os.system, command: touch mark}}"),
    ("hydra.callbacks", "{mine: {_target_: hydra.experimental.callbacks.pickle.loads}}"),
    ("hydra.callbacks", "{mine: {_target_: hydra.utils.get_class, path: spy.Scheme}}"),
    ("hydra.launcher", "{_target_: spy.Launcher}"),
    ("hydra.sweeper", "{_target_: spy.Sweeper}"),
    ("hydra.callbacks.mine", "'${oc.decode:\"{_target_: os.mkdir, path: mark}\"}'"),
    ("hydra.callbacks.mine", "'${oc.create:{_target_: os.mkdir, path: mark}}'"),
    ("hydra.callbacks.mine", "'${oc.decode:\"{_target_: os.mkdir, path: mark${hydra.job.num}}\"}'"),
    ("hydra.callbacks.mine", "'${init}'"),
    ("hydra.callbacks.mine", "'${...init}'"),
    ("hydra.sweeper.max_batch_size", "'${oc.create:{_target_: os.mkdir, path: mark}}'"),
    ("hydra.sweeper.custom_search_space", "spy.space"),
    ("hydra.sweeper.sampler", "{_target_: optuna.samplers.os.system}"),
    ("hydra.job_logging.handlers.file", "{'()': spy.Handler}"),
    ("hydra.job_logging.handlers.file", "{class: logging.handlers.os.system}"),
    ("hydra.job_logging.handlers.console.stream", "'ext://spy.stream'"),
    ("hydra.job_logging.handlers.mine", "{class: logging.handlers.QueueHandler, queue: spy.queue}"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "value"), FOREIGN_CODE, ids=[" ".join(pair) for pair in FOREIGN_CODE])
@pytest.mark.parametrize(
    "form",
    ["typed", pytest.param("swept", marks=pytest.mark.slow), pytest.param("experiment", marks=pytest.mark.slow)],
)
def test_hydras_part_of_a_config_may_not_name_foreign_code(kan_run, own, spy_mark, form, path, value):
    if form == "experiment":
        (own / "experiment").mkdir()
        (own / "experiment" / "sly.yaml").write_text(f"{path}: {value}\n")
        words = ["experiment=sly"]
    else:
        words = [f"++{path}={value}"]
        if form == "swept":
            words += ["-m", "seed=1,2"]
    outcome = kan_run("--config-dir", str(own), *words)
    assert outcome.code == 2, outcome.out + outcome.err
    is_unparsable = form != "experiment" and "()" in value  # Hydra's grammar has no such key
    assert (
        "cannot be parsed" if is_unparsable else "names code that is not Hydra's; to have it run add allow_code=true"
    ) in outcome.err
    assert not spy_mark.exists()
    assert not (outcome.cwd / "mark").exists()
    assert not (outcome.cwd / "outputs").exists()
