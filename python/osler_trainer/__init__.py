"""Osler's trainer: LoRA fine-tuning behind one recipe, told as JSON events on stdout."""

__version__ = "0.1.0"
