"""The command line: one file per command, found by ``main.py`` and imported when it is run.

Rules: a command reads its flags, the environment and files, and calls what does the work; it prints for people on a
terminal and plainly elsewhere; exit 0 is well, 1 is "the answer is no", 2 is wrong usage.
"""
