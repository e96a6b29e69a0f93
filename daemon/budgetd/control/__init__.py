"""The Unix socket: state out, commands in."""
