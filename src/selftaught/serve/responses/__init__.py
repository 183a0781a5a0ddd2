"""``/v1/responses``: OpenAI's Responses API with the interpreter's calls as items of their own."""
