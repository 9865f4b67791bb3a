"""The verbs of kan-run, for the help and the dispatcher. The module of a verb is imported when the verb is called."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One row of the table. The module `kancli.cli.NAME` has `add_arguments(parser)` and `run(args, presets)`."""

    arguments: str
    summary: str


VERBS = {
    "ls": Verb("[DIR ...]", "list runs and sweeps, newest first"),
    "open": Verb("[RUN]", "open a run's page or picture"),
    "explain": Verb("[KEY=VALUE ...]", "print the law with its numbers, without a run"),
    "draw": Verb("RUN ...", "draw the figures of finished runs"),
    "check": Verb("BASELINE ...", "repeat a recorded run and compare the results"),
    "bless": Verb("RUN -o FILE", "save a run's record as a baseline for check"),
    "diff": Verb("A B", "print the differences between two runs"),
    "rerun": Verb("RUN [KEY=VALUE ...]", "repeat a recorded run, as it was or changed"),
    "resume": Verb("SWEEP|RUN|RACE", "finish a sweep's jobs, a run's training, or a race"),
    "collect": Verb("SWEEP ...", "write one table over one or more sweeps"),
    "compare": Verb("RUN|SWEEP|PRESET|FILE ...", "compare runs side by side in a table and a figure"),
    "rank": Verb("SWEEP ...", "rank initialisations over tasks, with intervals"),
    "race": Verb("task=TASK [KEY=VALUE]", "find the initialisation that trains best on a task"),
    "export": Verb("RUN --to LIBRARY -o FILE", "write a network for pykan or another library"),
    "report": Verb("DIR", "write a sweep or a run as one HTML page"),
    "help": Verb("[CHAPTER|VERB]", "one screen of help, a chapter or a verb's arguments"),
}

# Words that people type for what has no verb.
NOT_NEEDED = {
    "run": "a run needs none: kan-run init=linear",
    "train": "a run with a task trains: kan-run task=f2 width=in-5-out",
    "version": "type kan-run --version",
    "sweep": "a sweep has the option -m: kan-run -m init=default,linear",
}
