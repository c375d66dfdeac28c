"""Tests of the limits themselves, pure and over `pdp`: replay, cases, chains, attack plans."""
