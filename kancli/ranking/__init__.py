"""The ranking of initialisations over tasks: `kan-run rank`."""
