"""W3C's names in Python, and errors that suggest the right one for a wrong name or type."""
