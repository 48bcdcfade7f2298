"""Readers of dumps and archives: the outside world, in bulk, as records."""
