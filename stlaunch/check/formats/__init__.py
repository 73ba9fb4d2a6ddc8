"""Format the report for people and for machines; nothing is evaluated or fetched here."""
