"""The views of the fleet, a folder for each subject, and the panes they are made of."""
