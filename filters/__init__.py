"""Text to scores, spans, verdicts and edits. Pure: no file is read but models, none is written."""
