"""Export: pairs in the formats of other trainers."""
