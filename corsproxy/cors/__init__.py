"""The engine: what CORS grants to whom, decided without a socket, a clock or a file."""
