"""An ensemble that runs in one process, by the rules of ``protocol``: from numbers or a scenario to steps, log lines and record bytes.

``scenario`` says what is asked for, ``ensemble`` plays it, ``evidence`` writes what the servers would have left, ``mutations`` damages it.
"""
