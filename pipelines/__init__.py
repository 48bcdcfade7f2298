"""The stages in their order, the engine under them, and the command line over them."""

__version__ = "0.1.0"
