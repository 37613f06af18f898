"""The text of a reply, as all readers see it: without what wraps it, and with its numerals read.

Rules that score replies and methods that read a stated confidence both begin here:

>>> reply = unwrapped("<think>2 or 3?</think> The answer is ３．５。<|im_end|>")
>>> [str(numeral.value) for numeral in numerals(reply.text)]
['7/2']
"""

from slmroute_plugin.reply_text.mapped_text import MappedText
from slmroute_plugin.reply_text.numeral import Numeral, numerals
from slmroute_plugin.reply_text.wrapping import unwrapped

__all__ = ["MappedText", "Numeral", "numerals", "unwrapped"]
