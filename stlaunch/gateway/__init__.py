"""Everything a request passes, in order; `compose.py` is the table."""
