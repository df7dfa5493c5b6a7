"""Named convolutional networks."""

from __future__ import annotations

from models.blocks import fire, separable, shuffled, split_shuffled, u_shape
from models.convnet import ConvSpec
from models.units import Conv, Dense, GlobalPool, MaxPool, Residual, Unit


def cnv() -> ConvSpec:
    """Six 3 x 3 convolutions and three dense layers on 32 x 32 colour images."""
    units: list[Unit] = []
    for width in (64, 128, 256):
        units += [Conv(width), Conv(width)]
        units += [MaxPool((2, 2))] if width < 256 else []
    return ConvSpec((3, 32, 32), (*units, Dense(512), Dense(512), Dense(10)))


def vgg10_1d(classes: int = 24, width: int = 64) -> ConvSpec:
    """Seven 1-D convolutions with pooling on 1,024 complex samples, then three dense layers."""
    block: tuple[Unit, ...] = (Conv(width, (1, 3), padding=(0, 1)), MaxPool((1, 2)))
    return ConvSpec((2, 1, 1024), (*block * 7, Dense(128), Dense(128), Dense(classes)))


def mobilenet_v1(width: float = 1.0, size: int = 224, classes: int = 1000, stem_stride: int = 2) -> ConvSpec:
    """Depthwise separable convolutions; ``width`` multiplies all channels, rounded to whole ones."""
    channels = round(32 * width)
    units: list[Unit] = [Conv(channels, stride=(stem_stride, stem_stride), padding=(1, 1))]
    strides = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
    for outputs, stride in strides:
        units += separable(channels, round(outputs * width), stride)
        channels = round(outputs * width)
    return ConvSpec((3, size, size), (*units, GlobalPool(), Dense(classes)))


def resnet(blocks: tuple[int, ...], width: int, size: int = 32, classes: int = 10) -> ConvSpec:
    """Basic residual blocks; each stage after the first doubles the channels and halves the map."""
    units: list[Unit] = [Conv(width, padding=(1, 1))]
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            channels = width << stage
            units.append(Residual((Conv(channels, stride=(stride, stride), padding=(1, 1)), Conv(channels, padding=(1, 1)))))
    return ConvSpec((3, size, size), (*units, GlobalPool(), Dense(classes)))


def ds_cnn(width: int = 64, classes: int = 12) -> ConvSpec:
    """Keyword spotting on 49 frames x 10 MFCC: one convolution, four depthwise separable ones."""
    units: list[Unit] = [Conv(width, (10, 4), (2, 2), (5, 1)), *separable(width, width) * 4, GlobalPool(), Dense(classes)]
    return ConvSpec((1, 49, 10), tuple(units))


def shufflenet(width: int = 48, groups: int = 3, blocks: tuple[int, ...] = (3, 7, 3), size: int = 32,
               classes: int = 10) -> ConvSpec:
    """Grouped and shuffled blocks; each stage halves the map and doubles the channels, the stem has half of ``width``."""
    channels = width // 2
    units: list[Unit] = [Conv(channels, padding=(1, 1))]
    for stage, count in enumerate(blocks):
        units += shuffled(channels, width << stage, groups, stride=2)
        units += [unit for _ in range(count) for unit in shuffled(width << stage, width << stage, groups)]
        channels = width << stage
    return ConvSpec((3, size, size), (*units, GlobalPool(), Dense(classes)))


def shufflenet_v2(width: int = 48, blocks: tuple[int, ...] = (3, 7, 3), last: int = 256, size: int = 32,
                  classes: int = 10) -> ConvSpec:
    """Split and shuffled blocks; each stage halves the map and doubles the channels."""
    units: list[Unit] = [Conv(width // 2, padding=(1, 1))]
    for stage, count in enumerate(blocks):
        units += [*split_shuffled(width << stage, stride=2), *split_shuffled(width << stage) * count]
    return ConvSpec((3, size, size), (*units, Conv(last, (1, 1)), GlobalPool(), Dense(classes)))


def squeezenet(width: int = 16, size: int = 32, classes: int = 10) -> ConvSpec:
    """Six fire blocks; ``width`` channels are squeezed to, four times as many expanded to on each side."""
    units: list[Unit] = [Conv(4 * width, padding=(1, 1)), MaxPool((2, 2))]
    for stage in (1, 2, 3):
        units += fire(stage * width, 4 * stage * width) * 2
        units += [MaxPool((2, 2))] if stage < 3 else []
    return ConvSpec((3, size, size), (*units, Conv(8 * width, (1, 1)), GlobalPool(), Dense(classes)))


def unet(widths: tuple[int, ...] = (16, 32, 64), size: int = 32, channels: int = 3, classes: int = 2) -> ConvSpec:
    """A class for every position: levels around each other, then a 1 x 1 convolution."""
    return ConvSpec((channels, size, size), (*u_shape(widths), Conv(classes, (1, 1))))


CONVOLUTIONAL: dict[str, tuple[ConvSpec, str]] = {
    "cnv": (cnv(), "CNV, CIFAR-10 and SVHN: FINN (Umuroglu et al., FPGA 2017) and the bnn_pynq examples of Brevitas"),
    "lenet5": (ConvSpec((1, 28, 28), (Conv(6, (5, 5), padding=(2, 2)), MaxPool((2, 2)), Conv(16, (5, 5)), MaxPool((2, 2)),
                                      Dense(120), Dense(84), Dense(10))), "LeNet-5: LeCun et al., Proc. IEEE 86 (1998)"),
    "mnist_cnn": (ConvSpec((1, 28, 28), (Conv(32), Conv(64), MaxPool((2, 2)), Dense(128), Dense(10))),
                  "the classic two-convolution MNIST network of the PyTorch and Keras examples"),
    "vgg10": (vgg10_1d(), "VGG10 1-D, RadioML 2018.01A: O'Shea et al., IEEE JSTSP 12 (2018), as in the FINN examples"),
    "resnet8": (resnet((1, 1, 1), 16), "ResNet-8, CIFAR-10: MLPerf Tiny image classification"),
    "resnet10": (resnet((1, 1, 1, 1), 64), "ResNet-10: ResNet-18 with one block a stage (Simon et al., arXiv 1612.01452)"),
    "resnet18": (resnet((2, 2, 2, 2), 64), "ResNet-18 for 32 x 32 images: He et al., CVPR 2016"),
    "mobilenet_v1": (mobilenet_v1(), "MobileNet-v1, ImageNet: Howard et al., arXiv 1704.04861"),
    "shufflenet": (shufflenet(), "ShuffleNet's blocks for 32 x 32 images: Zhang et al., CVPR 2018"),
    "shufflenet_v2": (shufflenet_v2(), "ShuffleNet-v2's blocks for 32 x 32 images: Ma et al., ECCV 2018"),
    "squeezenet": (squeezenet(), "SqueezeNet's fire blocks for 32 x 32 images: Iandola et al., arXiv 1602.07360"),
    "unet": (unet(), "U-Net, small, with upsampling by repetition: Ronneberger et al., MICCAI 2015"),
    "ds_cnn": (ds_cnn(), "DS-CNN, keyword spotting: Zhang et al., arXiv 1711.07128; MLPerf Tiny"),
    "digits_cnn": (ConvSpec((1, 8, 8), (Conv(8, padding=(1, 1)), MaxPool((2, 2)), Residual((Conv(8, padding=(1, 1)),)),
                                        Dense(10))),
                   "8x8 digits of scikit-learn; our smallest convolutional network"),
}
