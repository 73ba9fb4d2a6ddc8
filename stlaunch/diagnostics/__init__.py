"""Codes, their texts, and findings; it detects nothing."""
