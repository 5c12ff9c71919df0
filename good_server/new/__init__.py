"""Optional part that writes a product skeleton: `python -m good_server new`. A product does not need this part."""
