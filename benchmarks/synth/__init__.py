"""What the synthesis stage is measured by."""
