"""A real teacher that follows its input: a model of a megabyte, trained by us to say a document in other words."""

from pathlib import Path

MODEL = Path(__file__).with_name("copy.gguf")
