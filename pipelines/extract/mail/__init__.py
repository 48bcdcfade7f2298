"""Threads of mail to Markdown."""
