"""What finds out who somebody is: one module for each way, all of them for ``--auth``."""
