"""The fifth stage of the corpus: what teachers are asked, what they answered, and the documents that become of it."""
