"""``python -m stomp_tx`` is ``stomp-tx``."""

from stomp_tx.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
