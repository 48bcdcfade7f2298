"""The benchmark of the extractor: what it keeps, what it lets in, and how fast it is, beside its peers."""
