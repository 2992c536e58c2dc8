"""wader_export: makes the model folder models/wader-small, from the frozen encoder to the model card."""

__version__ = "0.9.7"
