"""Training: token ids with a loss mask computed from span sources, and supervised fine-tuning on them."""
