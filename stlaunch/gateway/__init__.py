"""Everything a request passes through; `compose.py` has the table, in order."""
