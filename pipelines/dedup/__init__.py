"""dedup: of documents that are copies of each other, or nearly so, one stays."""
