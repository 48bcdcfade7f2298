"""takedown: documents leave a run, its exports and the copies of these, for good.

`plan.py` says what would go, `command.py` in which order it does; each kind of store has a file of its own (`records`,
`rows`, `responses`, `shards`, `exports`, `versions`), `proof.py` looks for what is left, and `record.py` keeps what
was done.
"""
