"""False and missed transitions of the running service on the looped footage. Python's own library only, no PyTorch."""
