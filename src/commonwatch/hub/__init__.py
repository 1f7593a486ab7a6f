"""The hub without HTTP: who may ask, what is agreed, which gateways send, who is told. It composes and decides nothing.

Rules: nobody, no administrator and no command reads events here; disclosure is decided in `govern` alone. A failing
metadata database closes everything that needs it.
"""
