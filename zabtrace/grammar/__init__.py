"""The grammars in ``grammars/`` and what reads them: every textual form is declared there, none in code."""
