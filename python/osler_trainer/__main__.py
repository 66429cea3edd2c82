"""Entry of `python -m osler_trainer`."""

from .cli import main

raise SystemExit(main())
