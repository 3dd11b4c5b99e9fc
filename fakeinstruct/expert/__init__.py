"""A vision-language model that learns from pairs.

`fakeinstruct.expert.vision` registers the small expert's vision tower with Transformers' Auto classes. This package
does not import it: whoever only reads an expert's card, as measuring does, needs neither Transformers nor PyTorch.
"""

import logging

# Transformers imports DeepSpeed, which writes warnings to standard output, where results belong. A filter outlives
# the level that DeepSpeed sets on its own logger.
logging.getLogger("DeepSpeed").addFilter(lambda record: record.levelno >= logging.ERROR)
