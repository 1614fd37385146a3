"""TensorFlow models. Tests with the mark `own_process` import this module when they run."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

KERAS = tf.keras


class Halves(tf.Module):  # type: ignore[misc]
    """A model with two named outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.full((64, 2), 0.5, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32)])  # type: ignore[misc]
    def __call__(self, x: Any) -> dict[str, Any]:
        return {"sums": tf.matmul(x, self.w), "first": x[:, 0]}


class Unknown(tf.keras.Model):  # type: ignore[misc]
    """A class that is not registered in Keras."""

    def call(self, x: Any) -> Any:
        return x


class Scaled(tf.Module):  # type: ignore[misc]
    """A model with one variable."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])  # type: ignore[misc]
    def __call__(self, x: Any) -> Any:
        return x * self.factor


def network() -> Any:
    layers = [tf.keras.Input((64,)), tf.keras.layers.Dense(10, activation="softmax")]
    return tf.keras.Sequential(layers)


def dense(inputs: Any) -> Any:
    """Return a layer built for such inputs."""
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model(inputs)
    return model
