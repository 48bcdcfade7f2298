"""What a document is about and of which kind: models over its words, its form and, where wanted, its place.

bags = read_bags(read_stream(texts), pages)
found = load(path).predict(bags)
"""

from filters.topics.bags import Bags, PageForm, read_bags
from filters.topics.model import Model, ModelError, Prediction, load

__all__ = ["Bags", "Model", "ModelError", "PageForm", "Prediction", "load", "read_bags"]
