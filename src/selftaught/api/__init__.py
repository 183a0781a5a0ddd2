"""The Python interface: what ``import selftaught as st`` gives. Each name is found in ``selftaught/__init__.py``.

``model`` keeps a model loaded and asks it, ``stages`` and ``evaluating`` are the verbs over folders, ``recipes`` the whole loop.
Every verb's arguments are called as the command's options.
"""
