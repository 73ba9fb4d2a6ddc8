"""Uploads in pieces: the server's half, and the browser's."""
