"""The door: the process, its settings and commands. The only package that names all the others."""

__version__ = "0.1.0"
