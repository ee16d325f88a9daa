"""Carrier clients, one module each, and the queue and HTTP layer through which every call goes."""
