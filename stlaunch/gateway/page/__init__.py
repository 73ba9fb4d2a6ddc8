"""Rewrite the page, and provide the script that runs in it."""
