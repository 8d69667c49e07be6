"""HTTP semantics as pure functions: values in, values out.

    fields.py     what a field may look like, lists, hop-by-hop names, merging Vary, edits from the configuration
    target.py     request targets and hosts: one reading for choosing a rule and for forwarding
    forwarded.py  X-Forwarded-For, -Proto, -Host and Via, and whose word is taken for them
    location.py   Location and Content-Location, from the upstream's paths back into the proxy's
    cookies.py    Set-Cookie, attribute by attribute
    answers.py    the proxy's own answers, as text or as a problem document

Nothing here opens a socket, reads a clock or logs.  Names and values from the wire are ``bytes``, since HTTP has no
one encoding for them; what the user configured is ``str``.
"""
