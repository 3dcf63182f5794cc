"""Forensics for Apache ZooKeeper: election rounds, leader epochs, zxid histories, and the fate of every write."""

__version__ = "0.1.0"
