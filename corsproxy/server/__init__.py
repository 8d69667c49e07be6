"""The process around the data plane: listeners, their TLS, the admin endpoints, drain."""
