"""A vision-language model that learns from pairs.

Importing this package registers the small expert's vision tower with Transformers' Auto classes.
"""

import logging

# Transformers imports DeepSpeed, which writes warnings to standard output, where results belong. A filter outlives
# the level that DeepSpeed sets on its own logger.
logging.getLogger("DeepSpeed").addFilter(lambda record: record.levelno >= logging.ERROR)

from fakeinstruct.expert import vision as vision  # noqa: E402
