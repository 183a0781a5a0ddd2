"""Pipeline: a recipe becomes stages, each with its own folder and done-marker. Any of them may be killed."""
