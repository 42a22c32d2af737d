"""One seed is one world: the real engine in virtual time among hosts, people and faults made up."""
