"""Records to documents: guards, decoding, main content, and Markdown that keeps code byte for byte."""
