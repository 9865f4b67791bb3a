"""Records of runs that tests change: with the hashes that the changed files then have, as if a run had written them."""

import json

from kancli.runs.hashes import hash_of_bytes, hash_of_file, seal


def edit_record(folder, **changes):
    """Change fields of run.json; its hash of itself fits them."""
    path = folder / "run.json"
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **changes})))


def reseal(folder):
    """Write the hashes of a folder's files, as they are now, to its run.json."""
    record = json.loads((folder / "run.json").read_text())
    names = [name for name in record["sha256"]["files"] if (folder / name).is_file()]
    record["sha256"]["files"].update({name: hash_of_file(folder / name) for name in names})
    record["sha256"]["sizes"] = {name: (folder / name).stat().st_size for name in names}
    edit_record(folder, sha256=record["sha256"])


def write_plan(path, head, jobs):
    """Write a plan whose hashes fit its content."""
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    head = seal({**head, "jobs_sha256": hash_of_bytes(lines.encode())})
    path.write_text(json.dumps(head) + "\n" + lines)
