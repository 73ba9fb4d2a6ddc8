"""The report in the forms that people and machines read; nothing is judged or fetched here."""
