"""Policy networks, one architecture a file; each is registered by name under `procscope.architectures`."""
