"""Codes, their texts, and findings; nothing is detected here."""
