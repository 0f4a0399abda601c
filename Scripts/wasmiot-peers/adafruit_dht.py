"""Stands in for the driver of a sensor: there is none."""


class DHT22:
    """A sensor without values."""

    temperature = None
    humidity = None

    def __init__(self, pin):
        self.pin = pin
