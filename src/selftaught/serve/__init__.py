"""An OpenAI-compatible server with the rollout loop inside.

`backend` holds the engine and the sandbox in a thread of their own, `turns` drives one rollout and gives its `parts`,
which know nothing of the wire; `chat` and `responses` put them on it; `app` is the whole as an ASGI application.
"""
