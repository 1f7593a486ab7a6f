"""The routes, one module per subject. Each handler takes the principal the guard found, calls one port, answers."""
