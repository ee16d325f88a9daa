"""Telling people: who is told what, in which words, and by which mail server."""
