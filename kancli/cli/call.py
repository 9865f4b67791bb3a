"""`kancli.run`: a command line of kan-run, from Python."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Sequence
from pathlib import Path

from kancli.cli.arguments import parse_words
from kancli.cli.verbs import VERBS
from kancli.config.presets import Presets, preset_folders
from kancli.errors import ConfigError
from kancli.inits.plugins import CodePolicy, use_policy
from kancli.runs.reader import RecordedRun, read_run

_one_at_a_time = threading.RLock()  # Hydra's state, and what a config may name, belong to the whole process


def run(words: Sequence[str] | str = (), *, config_dir: str | None = None, allow_code: bool = False) -> RecordedRun:
    """Do one run, as `kan-run WORDS` does, and return it. Nothing is printed on stdout.

    Threads may call it: their runs follow one another. The program's random states and settings stay as they are,
    those of torch and of Hydra too.

    Args:
        words: overrides, `["init=glorot", "width=2-8-8-1"]`; a text is split as a shell would.
        config_dir: a folder of presets, as of `--config-dir`.
        allow_code: as `allow_code=true`.

    Returns:
        The run: `folder`, `stats` (the contents of stats.json), `verdicts`, `tensors("params.safetensors")` and
        `tensors("activations.safetensors")`.

    Raises:
        ConfigError: the words have faults; nothing was written.
        NonFiniteError, VerdictError: as kan-run's exit codes 3 and 4; everything was written.
    """
    words = shlex.split(words) if isinstance(words, str) else [str(word) for word in words]
    if words and words[0] in VERBS:
        raise ConfigError([f"{words[0]}: kancli.run takes the words of a run; type kan-run {' '.join(words)}"])
    module, args = parse_words(None, words)
    if args.multirun or args.dry_run or args.cfg or args.info or args.shell_completion:
        raise ConfigError([f"{' '.join(words)}: kancli.run does one run; its words are KEY=VALUE"])
    presets = Presets(preset_folders(config_dir))
    args.json = True
    with _one_at_a_time, use_policy(CodePolicy(presets.own, allow_code)):
        from kancli.config.hydra import callers_hydra
        from kancli.kan.modes import standard_modes

        with callers_hydra(), standard_modes():
            module.run(args, presets)
    return read_run(Path(args.document["folder"]))
