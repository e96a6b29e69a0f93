"""A private daemon, a built-in provider and simulated agents: the program without a key."""

from budgettop.demo.run import run_demo

__all__ = ["run_demo"]
