"""A real teacher for the tests: llama.cpp's own server, with a model of a megabyte."""
