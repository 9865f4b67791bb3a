"""Sweeps: many runs from one command line.

In the order of the flow, and with the words that these modules share:

* job: one run of a sweep. `product` lists the overrides of every job, `knobs` and `jobs` compose and check them.
* plan: all jobs, written to plan.jsonl before the first one runs. `planning` makes it, `plan` stores and reads it.
* batch: jobs of one shape, computed as the members of one ensemble. `batches` groups them.
* worker: a process that computes batches. `local` hands batches to workers of this machine, `worker` runs in them.
* task: jobs that another launcher (joblib, submitit, Ray) starts as one unit. `launcher_tasks` defines it, `launch`
  picks the launcher.
* row: a job's results. `table` and `results` collect them.

`sweep` is `kan-run -m`, `resume` is `kan-run resume`; `search` serves sweepers that choose jobs as they go, such as
Optuna's.
"""

WORKER = "kancli.sweeps.worker"  # what the server that workers are forked from imports
