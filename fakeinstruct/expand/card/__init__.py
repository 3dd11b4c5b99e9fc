"""Card: what a pair set holds, for people and for the Hugging Face hub."""
