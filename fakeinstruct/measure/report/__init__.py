"""The report: one page, its Markdown, its tables and drawings."""
