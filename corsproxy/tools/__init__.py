"""What people use to write and to understand a policy.

Rules: nothing is judged here.  Decisions come from ``proxy.plan``, what a browser makes of an answer from
``cors.browser``, sentences from ``cors``; the tools only lead a question through them, and say what they found.
"""
