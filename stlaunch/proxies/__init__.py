"""Everything known about reverse proxies: one file per product, and what they share.

To learn about Caddy, open caddy.py: its signs, its lines for each need, its configuration, how it
is checked and started. A product that needs more has a folder: begin with nginx/recipe.py.
"""
