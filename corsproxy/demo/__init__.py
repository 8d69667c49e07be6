"""The demonstration: an API without CORS, a page on another origin, and the proxy between them.

``api`` is the old API, ``site`` serves the page (``page/``), ``wire`` remembers what was on the wire so that the page
can show it, and ``stage`` puts the three parties up and takes them down.  Nothing in here is needed by any other
command.
"""
