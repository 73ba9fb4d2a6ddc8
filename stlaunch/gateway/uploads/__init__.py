"""Uploads in pieces: the server's end and the browser's."""
