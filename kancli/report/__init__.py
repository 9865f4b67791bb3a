"""HTML page of a sweep, a folder of runs or a run (`kan-run report`)."""
