"""What tokenize costs beside what others take, and what packing wastes."""
