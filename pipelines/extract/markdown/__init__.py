"""Markdown and its dialects to CommonMark."""
