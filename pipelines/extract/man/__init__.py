"""Manual pages (man, mdoc) to Markdown."""
