"""Named convolutional networks."""

from __future__ import annotations

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
    units: list[Unit] = [Conv(round(32 * width), stride=(stem_stride, stem_stride), padding=(1, 1))]
    channels = round(32 * width)
    strides = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
    for outputs, stride in strides:
        units += [Conv(channels, stride=(stride, stride), padding=(1, 1), groups=0), Conv(round(outputs * width), (1, 1))]
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
    separable: tuple[Unit, ...] = (Conv(width, padding=(1, 1), groups=0), Conv(width, (1, 1)))
    return ConvSpec((1, 49, 10), (Conv(width, (10, 4), (2, 2), (5, 1)), *separable * 4, GlobalPool(), Dense(classes)))


CONVOLUTIONAL: dict[str, tuple[ConvSpec, str]] = {
    "cnv": (cnv(), "CNV, CIFAR-10 and SVHN: FINN (Umuroglu et al., FPGA 2017) and the bnn_pynq examples of Brevitas"),
    "lenet5": (ConvSpec((1, 28, 28), (Conv(6, (5, 5), padding=(2, 2)), MaxPool((2, 2)), Conv(16, (5, 5)), MaxPool((2, 2)),
                                      Dense(120), Dense(84), Dense(10))), "LeNet-5: LeCun et al., Proc. IEEE 86 (1998)"),
    "mnist_cnn": (ConvSpec((1, 28, 28), (Conv(32), Conv(64), MaxPool((2, 2)), Dense(128), Dense(10))),
                  "the classic two-convolution MNIST network of the PyTorch and Keras examples"),
    "vgg10": (vgg10_1d(), "VGG10 1-D, RadioML 2018.01A: O'Shea et al., IEEE JSTSP 12 (2018), as in the FINN examples"),
    "resnet8": (resnet((1, 1, 1), 16), "ResNet-8, CIFAR-10: MLPerf Tiny image classification"),
    "resnet18": (resnet((2, 2, 2, 2), 64), "ResNet-18 for 32 x 32 images: He et al., CVPR 2016"),
    "mobilenet_v1": (mobilenet_v1(), "MobileNet-v1, ImageNet: Howard et al., arXiv 1704.04861"),
    "ds_cnn": (ds_cnn(), "DS-CNN, keyword spotting: Zhang et al., arXiv 1711.07128; MLPerf Tiny"),
    "digits_cnn": (ConvSpec((1, 8, 8), (Conv(8, padding=(1, 1)), MaxPool((2, 2)), Residual((Conv(8, padding=(1, 1)),)),
                                        Dense(10))),
                   "8x8 digits of scikit-learn; our smallest convolutional network"),
}
