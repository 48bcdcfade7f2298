"""Gates: what of an answer is measured beside its source, and what lets it count. Pure functions of the two texts."""

from synth.gates.judge import judge
from synth.gates.measure import SCORES, details, measure

__all__ = ["SCORES", "details", "judge", "measure"]
