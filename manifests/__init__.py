"""What the YAML files beside this package mean: their models, and the loader that checks them."""
