"""Why a browser says no, in its own words, and the line to change.

explanation  the whole, as one value for every command and page that shows it
steps        the steps of the Fetch standard that the request went through
fix          the smallest change under which it passes
demands      what the answer has to say, for a server without this proxy
lookalikes   what only looks like CORS
live         the request and its preflight, really sent: the only file here that touches a socket
as_json      the explanation for programs
"""
