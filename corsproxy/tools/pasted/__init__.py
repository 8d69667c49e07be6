"""What people have at hand when a page does not work, read as a question: the request that it is about.

questions       whatever it is, recognised; from here on one way leads to the explanation
console         what a browser printed, and ``complaints``: the request that such a message is about
other_messages  messages that people take for CORS, and that no CORS header mends
curl, script    a command or a call copied from developer tools or a source file
"""
