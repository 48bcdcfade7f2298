"""What makes a page no document, and how much of what engineers look for it has."""
