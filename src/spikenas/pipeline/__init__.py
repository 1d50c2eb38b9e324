"""Run folders, and the stages that fill them."""
