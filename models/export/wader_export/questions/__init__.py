"""The question writer: from the truth of a scene to questions, answers and captions in plain words."""

from .captions import CAPTION_QUESTIONS, caption
from .draw import Question, Writer
from .kinds import KINDS

__all__ = ["CAPTION_QUESTIONS", "KINDS", "Question", "Writer", "caption"]
