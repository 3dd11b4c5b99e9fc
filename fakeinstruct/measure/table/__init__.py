"""Any detector's scores, read from a table."""
