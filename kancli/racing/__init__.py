"""Races: which initialisation trains best on a user's task, by successive halving. `kan-run race`.

In the order of the flow: `candidates` composes what takes part, `held_out` divides the data, `schedule` says how long
each round trains and how many may stay, `trial` finds out what there is time for, `networks` trains, `states` keeps
networks between rounds, `selection` and `answer` compare, `race` does it round by round, `start` begins a race or
goes on with one, `output` prints it.
"""
