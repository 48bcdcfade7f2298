"""tokenize: documents to packed sequences in Parquet shards, list by list."""
