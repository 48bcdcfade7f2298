"""export: shards and what goes with them, to a directory or a bucket."""
