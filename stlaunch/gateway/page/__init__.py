"""The rewriting of the page, and the script that runs in it."""
