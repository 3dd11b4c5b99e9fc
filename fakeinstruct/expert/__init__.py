"""A vision-language model that learns from pairs."""
