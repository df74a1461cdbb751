"""Drawn linear attentions and recurrences."""
