"""Speed, memory and quality of dedup, beside the peers."""
