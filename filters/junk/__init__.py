"""What makes a page no document: walls, errors, stubs, listings, noise and spam; and how much of what engineers need it has."""
