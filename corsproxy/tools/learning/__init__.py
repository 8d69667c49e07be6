"""``corsproxy learn``: from exchanges that were seen to the smallest rule table that lets their pages work.

The way of it: ``sources`` (HAR files, access logs) and ``live`` (an observer of the data plane) make ``Evidence``, with
each request at its ``places``; ``suspects`` says which origins are nobody's to learn; ``wanted`` adds up what is left;
``changes`` compares that with the present table; ``writing`` puts it into the file, and ``proposal`` has the whole.
"""
