"""What runs inside the sandbox's own processes: the zygote and the children that it forks.

This package is started by path with a bare interpreter, so it imports the standard library only and nothing of the
rest of ``selftaught``. ``client.py``, one level up, is the other end of every wire here.

``__main__`` isolates itself (``namespaces``, ``landlock``), imports what model code will want and becomes the
**zygote**; the zygote forks **children** (``child``), which shed what is left (``seccomp``) and then, and only then,
run model code (``runner``).
"""
