"""The teacher: how it is asked, what it is asked, and which of its answers count."""
