"""Applications with a library's CORS, and proxies that others have written: what targets start, each as a process.

Rules: each is started with one JSON text that says everything; what stands here is what the library's documentation
shows, with an ordinary handler behind it that asks the vectors' upstream; nothing here is imported by anything.
"""
