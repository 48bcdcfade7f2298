"""AsciiDoc to Markdown."""
