"""A small convolutional vision tower for LLaVA: pixels in, a grid of tokens out.

A patch embedding or a Hiera of this size learns the fine traces of generators far slower (measured on
CIFAKE: the same AUC took seven times as long, or was not reached), since upsampling leaves its traces
between neighbouring pixels: the first layer must look at those, everywhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class ConvVisionConfig(PreTrainedConfig):
    """Configuration of `ConvVisionModel`.

    Args:
        image_size: Side of the square image in pixels.
        num_channels: Channels of the image.
        widths: Channels after each convolution; the last is the width of a token.
        strides: Stride of each convolution; their product is the side of a token in pixels.
        groups: Groups of the normalisation after each convolution; divides every width.
    """

    model_type = "fakeinstruct_conv"

    image_size: int = 64
    num_channels: int = 3
    widths: list[int] | tuple[int, ...] = (32, 64, 64, 96, 96)
    strides: list[int] | tuple[int, ...] = (1, 2, 1, 2, 2)
    groups: int = 8
    hidden_size: int = 96
    patch_size: int = 8

    def __post_init__(self, **kwargs: Any) -> None:
        """Derive what LLaVA and its processor read from a vision configuration."""
        if len(self.widths) != len(self.strides):
            raise ValueError(f"{len(self.widths)} widths but {len(self.strides)} strides")
        self.hidden_size = self.widths[-1]
        self.patch_size = 1
        for stride in self.strides:
            self.patch_size *= stride
        super().__post_init__(**kwargs)


class ConvBlock(nn.Module):
    """A 3 x 3 convolution, group normalisation and GELU; the input is added where the shapes agree.

    Group rather than batch normalisation: an answer must not depend on what else is in the batch.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm = nn.GroupNorm(groups, channels_out)
        self.residual = channels_in == channels_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels_in, h, w) to (batch, channels_out, h / stride, w / stride)."""
        y = nn.functional.gelu(self.norm(self.conv(x)))
        return x + y if self.residual else y


class ConvVisionModel(PreTrainedModel):
    """Convolutions down to a grid of tokens, with a learned position each.

    The positions are those of a square image of the configured size.
    """

    config_class = ConvVisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _no_split_modules = ("ConvBlock",)

    def __init__(self, config: ConvVisionConfig) -> None:
        super().__init__(config)
        inputs = [config.num_channels, *config.widths[:-1]]
        self.blocks = nn.Sequential(
            *(
                ConvBlock(channels_in, channels_out, stride, config.groups)
                for channels_in, channels_out, stride in zip(
                    inputs, config.widths, config.strides, strict=True
                )
            )
        )
        side = config.image_size // config.patch_size
        self.position = nn.Parameter(torch.zeros(1, side * side, config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutput:
        """Encode images.

        Args:
            pixel_values: Normalised pixels, shape (batch, channels, side, side).

        Returns:
            Tokens in rows from the upper left, shape (batch, tokens, hidden_size), also as the only entry of
            `hidden_states`, where LLaVA looks for them.
        """
        grid = self.blocks(pixel_values.to(memory_format=torch.channels_last))  # (B, D, h, w)
        tokens = self.norm(grid.flatten(2).transpose(1, 2) + self.position)  # (B, h * w, D)
        return BaseModelOutput(last_hidden_state=tokens, hidden_states=(tokens,))


AutoConfig.register(ConvVisionConfig.model_type, ConvVisionConfig)
AutoModel.register(ConvVisionConfig, ConvVisionModel)
