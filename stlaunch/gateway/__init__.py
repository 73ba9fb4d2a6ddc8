"""Everything a request meets, in its order; `compose.py` is the table."""
