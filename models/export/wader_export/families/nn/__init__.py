"""Stateless parts that the families are made of; every shape is an argument, every weight is attached by name."""
