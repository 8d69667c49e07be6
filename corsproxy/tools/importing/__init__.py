"""The way in: the CORS configuration of nginx, the Gateway API, Flask-CORS and Express's cors, read as a rule table.

Rules: what can be read reliably is written as rules, and everything else is listed with its line, never guessed; no
code of anybody's is run.
"""
