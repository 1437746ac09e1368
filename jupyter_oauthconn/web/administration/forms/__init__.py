"""What is typed into forms: shown again as it was typed, read into the model's values."""
