"""Pipeline: a recipe becomes stages; stages run, each with its own folder and done-marker; any of them may be killed."""
