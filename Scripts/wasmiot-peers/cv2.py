"""Stands in for OpenCV: a camera whose image is the file that CAMERA_IMAGE names."""

import os
import pathlib


class error(Exception):
    """What OpenCV raises."""


class VideoCapture:
    """A camera."""

    def __init__(self, device):
        self.device = device

    def read(self):
        """Whether there is an image, and the image."""
        return True, pathlib.Path(os.environ["CAMERA_IMAGE"]).read_bytes()

    def release(self):
        """Closes the camera."""


class Encoded:
    """An image in a format of files."""

    def __init__(self, data):
        self.data = data

    def tobytes(self):
        """The bytes of the file."""
        return self.data


def imencode(_, image):
    """The image is encoded already."""
    return True, Encoded(image)
