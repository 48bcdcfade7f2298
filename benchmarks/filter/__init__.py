"""The benchmark of the filter: what it keeps of what an engineer would keep, what it drops, and how fast it is."""
