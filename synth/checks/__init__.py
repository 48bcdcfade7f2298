"""Checkers of what teachers write in formal languages: pure, bounded, and nothing is ever run."""
