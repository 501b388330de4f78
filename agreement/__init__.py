"""What both teams must agree on first: policy, tables, money, working time, errors."""
