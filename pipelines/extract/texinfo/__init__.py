"""Texinfo to Markdown."""
