"""All that is known about reverse proxies; one file a product, beside the machinery they share.

To learn about nginx, open nginx.py: its signs, its lines for each need, its configuration, how it
is checked and started.
"""
