"""A language model that marks what an expert wrote."""
