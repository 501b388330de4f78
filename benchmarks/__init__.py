"""Figures behind the claims: each module measures one thing and prints it beside its peers."""
